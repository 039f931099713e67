"""Measures of a CT with labels that real patients and synthetic persons have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.patient import effective_diameter_mm, water_equivalent_diameter_mm
from milligray.read import read_ct_nifti, read_labels
from milligray.segment.catalog import canonical_name

FAT_HU = (-190.0, -30.0)
BODY_HU = -350.0
Z_STEP_MM = 5.0


@dataclass(frozen=True)
class Region:
    """A part of the body that can be compared.

    Parameters
    ----------
    anchor : tuple of str
        Structures whose middle height is z = 0.
    window_mm : tuple of float [mm]
        Range of z of the curves.
    levels_mm : mapping of str to float [mm]
        Named heights at which diameters are put into the table.
    fat_mm : tuple of float [mm]
        Range of z in which the share of fat is taken.
    whole : tuple of str
        Organs that lie in the image as a whole: volumes.
    long : tuple of str
        Organs that the image cuts: mean cross-section in the window.
    """

    anchor: tuple[str, ...]
    window_mm: tuple[float, float]
    levels_mm: Mapping[str, float]
    fat_mm: tuple[float, float]
    whole: tuple[str, ...]
    long: tuple[str, ...]


REGIONS = {
    "head-neck": Region(
        anchor=("mandible",),
        window_mm=(-200.0, 160.0),
        levels_mm={"head": 60.0, "neck": -60.0, "shoulder": -150.0},
        fat_mm=(-100.0, 60.0),
        whole=("mandible", "parotid_gland_left", "parotid_gland_right", "brainstem"),
        long=("spinal_cord", "esophagus"),
    ),
    "abdomen": Region(
        anchor=("vertebrae_L2", "vertebrae_L3"),
        window_mm=(-150.0, 200.0),
        levels_mm={"L2-L3": 0.0, "T11": 120.0, "L5": -80.0},
        fat_mm=(-80.0, 120.0),
        whole=(
            *("kidney_left", "kidney_right", "spleen", "liver", "pancreas", "gallbladder"),
            *("stomach", "adrenal_gland_left", "adrenal_gland_right"),
        ),
        long=("aorta", "spinal_cord", "iliopsoas_left", "autochthon_left"),
    ),
}


@dataclass(frozen=True)
class Measured:
    """Table row and curves of one person.

    Parameters
    ----------
    row : dict of str to str or float
        ``volume_<organ>_ml``, ``section_<organ>_mm2``, ``effective_<level>_mm``,
        ``water_<level>_mm``, ``fat_share``; absent where the image does not show it.
    z_mm : ndarray [mm]
        Heights of the curves; the same for all persons of a region.
    effective_mm, water_mm : ndarray [mm]
        NaN beyond the image.
    """

    row: dict[str, str | float]
    z_mm: np.ndarray
    effective_mm: np.ndarray
    water_mm: np.ndarray


def measure(
    name: str, ct_file: Path, labels_file: Path, names_file: Path | None, region: Region
) -> Measured | None:
    """Measure one person; None if the anchor is not in the image."""
    ct = read_ct_nifti(ct_file).volume
    labels = read_labels(labels_file, names=names_file)
    values, grid = np.asarray(labels.volume.values), ct.grid
    names = {number: canonical_name(text) for number, text in labels.names.items()}
    anchor = mask_of(values, names, region.anchor)
    if not anchor.any() or values.shape != grid.shape:
        return None
    planes = np.flatnonzero(anchor.any(axis=(1, 2)))
    z = grid.axis_centers_mm(0)
    z = z - 0.5 * (z[planes[0]] + z[planes[-1]])
    body = body_of(np.asarray(ct.values), values, names)
    at = np.arange(region.window_mm[0], region.window_mm[1] + 1.0, Z_STEP_MM)
    curves = [
        np.interp(at, z, diameters, left=np.nan, right=np.nan)
        for diameters in (effective_diameter_mm(ct, body), water_equivalent_diameter_mm(ct, body))
    ]
    row: dict[str, str | float] = {"name": name}
    for level, height in region.levels_mm.items():
        index = int(np.argmin(np.abs(at - height)))
        for kind, curve in zip(("effective", "water"), curves, strict=True):
            if np.isfinite(curve[index]) and curve[index] > 0.0:
                row[f"{kind}_{level}_mm"] = float(curve[index])
    inside = (z >= region.fat_mm[0]) & (z <= region.fat_mm[1])
    shown = (z >= region.window_mm[0]) & (z <= region.window_mm[1])
    if z[0] <= region.fat_mm[0] + 5.0 and z[-1] >= region.fat_mm[1] - 5.0:
        hu, tissue = ct.values[inside], body[inside]
        fat = (hu > FAT_HU[0]) & (hu < FAT_HU[1]) & tissue
        row["fat_share"] = float(fat.sum() / max(tissue.sum(), 1))
    row.update(_organs(values, names, grid.voxel_volume_cm3, grid.spacing_mm[0], shown, region))
    return Measured(row=row, z_mm=at, effective_mm=curves[0], water_mm=curves[1])


def _organs(
    values: np.ndarray,
    names: Mapping[int, str],
    voxel_ml: float,
    slice_mm: float,
    shown: np.ndarray,
    region: Region,
) -> dict[str, float]:
    found: dict[str, float] = {}
    for organ in region.whole:
        mask = mask_of(values, names, (organ,))
        if mask.any() and not (mask[0].any() or mask[-1].any()):
            found[f"volume_{organ}_ml"] = float(mask.sum() * voxel_ml)
    for organ in region.long:
        mask = mask_of(values, names, (organ,))[shown]
        length = mask.any(axis=(1, 2)).sum() * slice_mm
        if length >= 40.0:
            found[f"section_{organ}_mm2"] = float(1e3 * mask.sum() * voxel_ml / length)
    return found


def mask_of(values: np.ndarray, names: Mapping[int, str], organs: Iterable[str]) -> np.ndarray:
    """Voxels of the named structures."""
    wanted = set(organs)
    return np.isin(values, [number for number, name in names.items() if name in wanted])


def body_of(hu: np.ndarray, values: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """Largest part of the body in every slice: arms that lie apart do not count.

    The body is what is labeled, where the labels cover it, else what is denser than air.
    """
    from scipy import ndimage  # noqa: PLC0415

    labeled = any("body" in name for name in names.values()) or np.mean(values > 0) > 0.3
    matter = values > 0 if labeled else ndimage.binary_opening(hu > BODY_HU, iterations=1)
    body = np.zeros_like(matter)
    for k, plane in enumerate(matter):
        parts, n = ndimage.label(plane)
        if n:
            largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            body[k] = ndimage.binary_fill_holes(parts == largest)
    return body
