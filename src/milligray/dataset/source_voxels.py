"""Where the sources of kernels lie: voxels of the body, drawn by kinds of surroundings."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from milligray.draws import fraction
from milligray.errors import InputError
from milligray.patient.patient import Patient

STRATA = ("soft_tissue", "bone", "lung", "border", "skin", "gas")
DEFAULT_WEIGHTS = (0.40, 0.15, 0.15, 0.12, 0.13, 0.05)
GAS_BELOW_G_CM3 = 0.1
LUNG_BELOW_G_CM3 = 0.66
BONE_FROM_G_CM3 = 1.23
SKIN_VOXELS = 2
NONE = 255
_FACES = ndimage.generate_binary_structure(3, 1)


def parse_weights(text: str) -> tuple[float, ...]:
    """Weights of the strata, in their order, from ``"lung=0.5,bone=0.5"``; others are 0.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from milligray.dataset.source_voxels import parse_weights
    >>> parse_weights("lung=3,bone=1")
    (0.0, 1.0, 3.0, 0.0, 0.0, 0.0)
    """
    found: dict[str, float] = {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, number = part.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if name not in STRATA or not 0 <= value < np.inf or name in found:
            raise InputError(
                f"weights of source voxels are like 'lung=0.5,bone=0.5' with {', '.join(STRATA)},"
                f" each once and >= 0; got {part!r}"
            )
        found[name] = value
    return tuple(found.get(name, 0.0) for name in STRATA)


def strata_of(patient: Patient) -> npt.NDArray[np.uint8]:
    """Stratum of every voxel of the body, row of `STRATA`; 255 outside, shape ``grid.shape``.

    Notes
    -----
    In this order, a voxel belongs to

    - ``skin`` if at most two steps from face to face lead out of the body (within the image: its
      end slices are no skin),
    - ``border`` if its density and that of a voxel at one of its faces, in the body, lie on
      different sides of 0.66 g/cm3: the surface of lungs, airways and gas, vessels in the lung,
    - ``gas`` below 0.1 g/cm3, ``lung`` below 0.66, ``bone`` from 1.23 on, else ``soft_tissue``.

    Densities alone decide: metal and contrast medium count as bone, fat as soft tissue. 0.66 and
    1.23 divide the kernels of the MSV method too (`milligray.transport.kernels.superposition`).
    """
    body, density = patient.body, patient.density_g_cm3
    near_outside = ndimage.binary_dilation(~body, _FACES, iterations=SKIN_VOXELS)
    is_light = density < LUNG_BELOW_G_CM3
    border = (~is_light & ndimage.binary_dilation(is_light & body, _FACES)) | (
        is_light & ndimage.binary_dilation(~is_light & body, _FACES)
    )
    of_density = np.where(
        density < GAS_BELOW_G_CM3, STRATA.index("gas"),
        np.where(
            is_light, STRATA.index("lung"),
            np.where(
                density >= BONE_FROM_G_CM3, STRATA.index("bone"), STRATA.index("soft_tissue")
            ),
        ),
    )  # fmt: skip
    result = np.where(border, STRATA.index("border"), of_density)
    result = np.where(near_outside, STRATA.index("skin"), result)
    return np.where(body, result, NONE).astype(np.uint8)


def draw_source_voxels(
    patient: Patient, count: int, *, weights: tuple[float, ...], key: tuple[object, ...]
) -> tuple[tuple[tuple[int, int, int], ...], tuple[str, ...], Mapping[str, int]]:
    """Random voxels of the body.

    Parameters
    ----------
    patient : Patient
    count : int
    weights : tuple of float
        Of `STRATA`.
    key : tuple
        Of the sample's random numbers.

    Returns
    -------
    voxels : tuple of (k, j, i)
    strata : tuple of str
        Of each.
    present : mapping of str to int
        Number of voxels of every stratum in the patient.

    Raises
    ------
    InputError
        If the body has none of the strata that are asked for.

    Notes
    -----
    The weights of strata that the patient has are laid end to end, and ``count`` points at equal
    distances with one random start choose the strata (systematic sampling: numbers are at most one
    from their expectation). Within a stratum every voxel is as likely, and none is taken twice.
    """
    strata = strata_of(patient)
    present = {name: int(np.count_nonzero(strata == n)) for n, name in enumerate(STRATA)}
    share = np.array([w if present[name] else 0.0 for w, name in zip(weights, STRATA, strict=True)])
    if not share.sum() > 0:
        wanted = [name for name, w in zip(STRATA, weights, strict=True) if w > 0]
        raise InputError(
            f"the body has no voxel of {', '.join(wanted)}: give weights of other source voxels"
        )
    edges = np.cumsum(share) / share.sum()
    voxels: list[tuple[int, int, int]] = []
    names: list[str] = []
    left = {n: np.flatnonzero(strata == n) for n in range(len(STRATA)) if share[n] > 0}
    start = fraction(*key, "source stratum")
    for number in range(count):
        point = (number + start) / count
        n = int(min(np.searchsorted(edges, point, side="right"), np.flatnonzero(share)[-1]))
        if left[n].size == 0:
            raise InputError(
                f"the body has only {present[STRATA[n]]} voxels of {STRATA[n]}: ask for fewer"
                " source voxels"
            )
        place = int(fraction(*key, "source voxel", number) * left[n].size)
        k, j, i = np.unravel_index(int(left[n][place]), strata.shape)
        left[n] = np.delete(left[n], place)
        voxels.append((int(k), int(j), int(i)))
        names.append(STRATA[n])
    return tuple(voxels), tuple(names), present
