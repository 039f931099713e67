"""Pairs of a set of source kernels, one by one: what training a kernel network asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from milligray.constants import CM3_PER_MM3, MGY_PER_KEV_PER_G
from milligray.dataset.folder import SetFolder
from milligray.dataset.reader import TrainingSet
from milligray.dataset.source_voxels import STRATA
from milligray.dataset.storage import read_item
from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray, LabelArray

KIND = "source-kernels"
DECAYS_PER_MBQ_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelPair:
    """Matter around a source voxel, and the energy that a decay in it imparts.

    Parameters
    ----------
    sample : str
        Name in the set.
    number : int
        Of the source voxel in the sample.
    nuclide : str
    split, stratum : str
    density_g_cm3 : ndarray, shape (n, n, n), float32 [g/cm3]
        The source is the voxel ``(n // 2,) * 3``.
    material_index : ndarray, shape (n, n, n), uint8
        Row of `materials`.
    materials : tuple of str
    body : ndarray of bool, shape (n, n, n)
    energy_kev : ndarray, shape (n, n, n), float32 [keV per decay]
    relative_uncertainty : ndarray, shape (n, n, n), float32
        k = 1.
    spacing_mm : float [mm]
    """

    sample: str
    number: int
    nuclide: str
    split: str
    stratum: str
    density_g_cm3: FloatArray
    material_index: LabelArray
    materials: tuple[str, ...]
    body: BoolArray
    energy_kev: FloatArray
    relative_uncertainty: FloatArray
    spacing_mm: float

    @property
    def mass_g(self) -> FloatArray:
        """Mass of every voxel [g], shape (n, n, n)."""
        return np.asarray(self.density_g_cm3 * np.float32(self.spacing_mm**3 * CM3_PER_MM3))

    @property
    def s_value_mgy_per_mbq_s(self) -> FloatArray:
        """Specific S-value of every voxel, ``energy / mass`` [mGy/(MBq s)], shape (n, n, n).

        0 where there is no matter.
        """
        mass = self.mass_g
        specific = np.divide(
            self.energy_kev, mass, out=np.zeros_like(self.energy_kev), where=mass > 0
        )
        return np.asarray(specific * np.float32(MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S))

    @property
    def sigma_kev(self) -> FloatArray:
        """Standard deviation of the energy, k = 1 [keV per decay], shape (n, n, n)."""
        return np.asarray(self.relative_uncertainty * np.abs(self.energy_kev))


class KernelPairs(Sequence[KernelPair]):
    """All pairs of some splits of a set; each is read when it is asked for.

    Parameters
    ----------
    training : TrainingSet
        Of kind ``source-kernels``.
    split : {"train", "validation", "test"}, optional
        Default: all.
    nuclide : str, optional
        Default: the set's only one.

    Raises
    ------
    InputError
        If the set is of another kind, or the nuclide is not in it.

    Examples
    --------
    >>> from milligray.dataset import KernelPairs, open_set
    >>> pairs = KernelPairs(open_set("set"), "train")  # doctest: +SKIP
    >>> pairs[0].s_value_mgy_per_mbq_s.shape  # doctest: +SKIP
    (64, 64, 64)
    """

    def __init__(
        self, training: TrainingSet, split: str | None = None, *, nuclide: str | None = None
    ) -> None:
        if training.kind != KIND:
            raise InputError(f"{training.root} holds {training.kind}, not {KIND}")
        known = tuple(training.manifest["settings"]["nuclides"])
        if nuclide is None and len(known) > 1:
            raise InputError(f"the set has kernels of {', '.join(known)}: say which nuclide")
        chosen = known[0] if nuclide is None else nuclide
        if chosen not in known:
            raise InputError(f"the set has kernels of {', '.join(known)}, not of {chosen}")
        self.nuclide = chosen
        self._training = training
        self._places = [
            (name, number)
            for name in training.samples(split)
            for number in range(training.entry(name)["arrays"]["stratum"]["shape"][0])
        ]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> KernelPair: ...
    @overload
    def __getitem__(self, index: slice) -> "list[KernelPair]": ...
    def __getitem__(self, index: int | slice) -> "KernelPair | list[KernelPair]":
        """Read one pair, or some."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        name, number = self._places[index]
        entry = self._training.entry(name)
        arrays = read_item(
            SetFolder(self._training.root).sample_file(name), number,
            ("density", "material_index", "body", "stratum", f"kernel_{self.nuclide}",
             f"relative_uncertainty_{self.nuclide}"),
        )  # fmt: skip
        return KernelPair(
            sample=name, number=number, nuclide=self.nuclide, split=entry["split"],
            stratum=STRATA[int(arrays["stratum"])], density_g_cm3=arrays["density"],
            material_index=arrays["material_index"],
            materials=tuple(entry["attributes"]["materials"]),
            body=arrays["body"].astype(np.bool_), energy_kev=arrays[f"kernel_{self.nuclide}"],
            relative_uncertainty=arrays[f"relative_uncertainty_{self.nuclide}"],
            spacing_mm=float(entry["attributes"]["spacing_zyx_mm"][0]),
        )  # fmt: skip
