"""What holds for a whole training set."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from milligray.dataset.source_voxels import DEFAULT_WEIGHTS, STRATA
from milligray.errors import InputError
from milligray.learn.inputs.kernel_patch import PATCH_VOXELS

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSettings:
    """How the samples of a set are made.

    Parameters
    ----------
    kind : str
        See `milligray.dataset.kinds`.
    seed : int
        All else random follows from it and the names of the exams.
    samples_per_patient : int
        Random scans of every exam whose row does not say otherwise.
    protocols : {"drawn", "own", "none"}
        Random protocols, those of the list, or none: kinds without a CT scan.
    protocols_text : str
        The distributions, as their file has them; "" if none are drawn.
    split_fractions : (train, validation, test)
        Chances of a patient whose row names no split.
    voxel_precision : float
        Mean relative standard deviation to reach of the voxels of the body in the scanned range
        (kinds with voxel doses), or at `precision_at_mm` from the source (source kernels).
    margin_mm : float [mm]
        What is stored beyond the beam's range along z (dose maps).
    positions : int
        Source positions of each scan (source positions); source voxels of each sample (source
        kernels).
    slab_shape : (depth, lateral, z)
        Voxels of a source position's slab.
    nuclides : tuple of str
        Of the source kernels.
    electrons : {"primaries", "local", "all"}
        Which electrons and positrons travel (source kernels): those of the nuclide, none, or also
        those that photons set free.
    annihilation_copies : int
        Pairs of photons for every positron, of so much less weight (source kernels).
    patch_voxels : int
        Edge of a source kernel's cube.
    surroundings_mm : float [mm]
        Of the patient around that cube, in which particles travel on and come back.
    precision_at_mm : float [mm]
        Distance from the source voxel at which a kernel's precision is judged.
    source_weights : tuple of float
        Chances of source voxels by stratum, see `milligray.dataset.source_voxels.STRATA`.
    """

    kind: str
    seed: int = 1
    samples_per_patient: int = 1
    protocols: Literal["drawn", "own"] = "drawn"
    protocols_text: str = ""
    split_fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    voxel_precision: float = 0.03
    margin_mm: float = 40.0
    positions: int = 8
    slab_shape: tuple[int, int, int] = (96, 144, 17)
    nuclides: tuple[str, ...] = ("F-18",)
    electrons: Literal["primaries", "local", "all"] = "primaries"
    annihilation_copies: int = 16
    patch_voxels: int = PATCH_VOXELS
    surroundings_mm: float = 30.0
    precision_at_mm: float = 100.0
    source_weights: tuple[float, ...] = DEFAULT_WEIGHTS

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed must be >= 0, got {self.seed}")
        for name in ("samples_per_patient", "positions"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.protocols not in ("drawn", "own", "none"):
            raise InputError(f"protocols must be drawn, own or none, got {self.protocols!r}")
        if self.protocols == "own" and self.samples_per_patient > 1:
            raise InputError("with its own protocol an exam gives one sample")
        if (self.protocols == "drawn") != bool(self.protocols_text):
            raise InputError("drawn protocols, and only they, need distributions")
        if min(self.split_fractions) < 0 or abs(sum(self.split_fractions) - 1.0) > 1e-6:
            raise InputError(f"split_fractions must add up to 1, got {self.split_fractions}")
        if not 0.001 <= self.voxel_precision <= 0.5:
            raise InputError(
                f"voxel_precision must lie between 0.001 and 0.5, got {self.voxel_precision:g}"
            )
        if not 0 <= self.margin_mm <= 1000:
            raise InputError(f"margin_mm must lie between 0 and 1000, got {self.margin_mm:g}")
        if min(self.slab_shape) < 1:
            raise InputError(f"slab_shape must be three numbers >= 1, got {self.slab_shape}")
        self._check_kernels()

    def _check_kernels(self) -> None:
        if not self.nuclides:
            raise InputError("name at least one nuclide")
        if not 8 <= self.patch_voxels <= 256 or self.patch_voxels % 2:
            raise InputError(f"patch_voxels must be even, from 8 to 256, got {self.patch_voxels}")
        if not 0 <= self.surroundings_mm <= 500:
            raise InputError(
                f"surroundings_mm must lie between 0 and 500, got {self.surroundings_mm:g}"
            )
        if not 5 <= self.precision_at_mm <= 500:
            raise InputError(
                f"precision_at_mm must lie between 5 and 500, got {self.precision_at_mm:g}"
            )
        weights = self.source_weights
        if len(weights) != len(STRATA) or min(weights) < 0 or not sum(weights) > 0:
            raise InputError(
                f"source_weights are {len(STRATA)} numbers >= 0 ({', '.join(STRATA)}), not all 0;"
                f" got {weights}"
            )

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "SetSettings":
        """From the manifest of a set."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in document.items()
            if key in known
        }
        return cls(**values)
