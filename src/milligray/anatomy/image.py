"""An anatomy as a CT and a label map: from here on it is a patient like any other."""

from dataclasses import replace

import numpy as np

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.ct_numbers import ct_numbers
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.tissue_appearance import hu_of_density, load_tissue_appearances
from milligray.read.series import CtSeries, LabelMap
from milligray.typing import FloatArray
from milligray.volume import Grid, Volume

MARGIN_MM = 20.0


def anatomy_ct(
    anatomy: Anatomy, appearance: CtAppearance | None = None, *, seed: int | None = None
) -> tuple[CtSeries, LabelMap]:
    """CT and organ labels of an anatomy.

    Parameters
    ----------
    anatomy : Anatomy
    appearance : CtAppearance, optional
        Default: the ideal image, one CT number a tissue.
    seed : int, optional
        Of texture and noise; default: the seed of the anatomy.

    Returns
    -------
    CtSeries, LabelMap
        On the grid of the anatomy.

    Notes
    -----
    The lungs get the CT number whose density, by the calibration of Schneider et al. (2000), is
    the inflation asked for, so that their mass is that of the parameters.
    """
    options = appearance or CtAppearance()
    lung = hu_of_density(anatomy.parameters.lung_density_g_cm3)
    options = replace(options, hu_overrides={"lung": lung, **options.hu_overrides})
    volume = ct_numbers(
        anatomy.tissue,
        load_tissue_appearances(),
        anatomy.grid,
        options=options,
        seed=anatomy.parameters.seed if seed is None else seed,
        structure=anatomy.structure,
        names=anatomy.names,
    )
    note = f"synthetic anatomy: {describe(anatomy)}"
    ct = CtSeries(volume=volume, slice_thickness_mm=anatomy.grid.spacing_mm[0], notes=(note,))
    labels = LabelMap(
        volume=Volume(grid=anatomy.grid, values=anatomy.structure),
        names=dict(anatomy.names),
        notes=(note,),
    )
    return ct, labels


def describe(anatomy: Anatomy) -> str:
    """One line about a synthetic person."""
    p = anatomy.parameters
    return (
        f"{p.sex}, {p.height_mm / 10:.0f} cm, {p.weight_kg:.1f} kg, arms {p.arms},"
        f" lungs {p.lung_density_g_cm3:.2f} g/cm3, variation {p.variation:g}, seed {p.seed}"
    )


def cropped(anatomy: Anatomy, low_mm: float | None = None, high_mm: float | None = None) -> Anatomy:
    """The part of an anatomy between two heights, cut to the body and a margin.

    Parameters
    ----------
    anatomy : Anatomy
    low_mm, high_mm : float, optional [mm]
        Heights above the soles; default: all.
    """
    z = anatomy.grid.axis_centers_mm(0)
    wanted = np.ones(z.size, dtype=np.bool_)
    if low_mm is not None:
        wanted &= z >= low_mm
    if high_mm is not None:
        wanted &= z <= high_mm
    rows = np.flatnonzero(wanted)
    inside = anatomy.structure[rows[0] : rows[-1] + 1] > 0
    margin = int(np.ceil(MARGIN_MM / anatomy.grid.spacing_mm[0]))
    box = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(inside.any(axis=other))
        first, last = int(hit[0]), int(hit[-1])
        if axis == 0:
            top = low_mm is None and high_mm is None
            first, last = first + int(rows[0]), last + int(rows[0])
            first, last = (first - margin, last + margin) if top else (first, last)
        else:
            first, last = first - margin, last + margin
        box.append(slice(max(first, 0), min(last + 1, anatomy.grid.shape[axis])))
    k, j, i = box
    grid = Grid(
        shape=(k.stop - k.start, j.stop - j.start, i.stop - i.start),
        affine=_shifted(anatomy.grid, (k.start, j.start, i.start)),
    )
    part = np.ascontiguousarray(anatomy.structure[k, j, i])
    here = np.flatnonzero(np.bincount(part.ravel(), minlength=max(anatomy.names) + 1))
    return replace(
        anatomy,
        grid=grid,
        structure=part,
        tissue=np.ascontiguousarray(anatomy.tissue[k, j, i]),
        names={int(v): anatomy.names[int(v)] for v in here if v},
    )


def _shifted(grid: Grid, first: tuple[int, int, int]) -> FloatArray:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps_mm(np.array(first, dtype=np.float64))
    return affine
