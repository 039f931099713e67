"""The body around the organs: muscle, fat and skin until the weight is met."""

from collections.abc import Sequence

import numpy as np

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.canvas import (
    CAVITY,
    CAVITY_REACH_MM,
    Canvas,
    reference_weight_kg,
    tissue_code,
)
from milligray.anatomy.envelope import envelope_of, join_mounds, surface_of
from milligray.anatomy.growth import grow
from milligray.anatomy.layer_loops import (
    count_tissues,
    fine,
    level_of,
    replace,
    take,
    take_outermost,
)
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import reference_mass_g, target_of, tissue_density, tissue_rows
from milligray.errors import InputError
from milligray.typing import FloatArray

LEAN_SHARE_OF_EXCESS, LEAN_SHARE_OF_LACK = 0.25, 0.45
"""Share of muscle in the weight beyond the reference (Forbes 1987: 0.2 to 0.3), and in what is
missing to it: thin persons have little fat to lose."""
SKIN_MM = 2.0
"""Least depth of a gland below the surface of the body."""


def clothe(
    canvas: Canvas,
    parameters: AnatomyParameters,
    targets: dict[str, float],
    glands: Sequence[Structure] = (),
) -> list[str]:
    """Fill what is free: fat in the cavities, muscle, fat under the skin, skin.

    Parameters
    ----------
    canvas : Canvas
        Changed in place.
    parameters : AnatomyParameters
    targets : dict of str to float [mL]
        Gets the volumes of muscle, of the glands and of skin.
    glands : sequence of Structure
        What lies within the fat under the skin: the breast.

    Returns
    -------
    list of str
        Notes.

    Raises
    ------
    InputError
        If the weight leaves no fat.
    """
    layers = envelope_of(canvas, parameters)
    _fill_cavities(canvas)
    muscle_ml = _muscle_ml(parameters)
    skin_ml = _skin_ml(parameters)
    lean = fine(layers.muscle(), layers.stride, canvas.grid.shape)
    free = canvas.structure == 0
    level = level_of(lean, free, muscle_ml / canvas.voxel_ml)
    canvas.levels["lean_body"] = level
    muscle = canvas.new_label("skeletal_muscle")
    take(canvas.structure, canvas.tissue, lean, level, muscle, tissue_code("muscle"))
    targets["skeletal_muscle"] = muscle_ml
    fat_ml = _fat_ml(canvas, parameters, skin_ml)
    surface = surface_of(canvas, layers, level, (fat_ml + skin_ml) / canvas.voxel_ml)
    del lean
    outer = fine(surface, layers.stride, canvas.grid.shape)
    join_mounds(canvas, outer)
    for gland in glands:
        _claim_below_skin(canvas, gland, outer, parameters, targets)
    label = canvas.new_label("subcutaneous_fat")
    take(canvas.structure, canvas.tissue, outer, 0.0, label, tissue_code("fat"))
    _skin(canvas, outer, label, skin_ml / canvas.voxel_ml)
    targets["skin"] = skin_ml
    return []


def _skin(canvas: Canvas, outer: FloatArray, fat: int, wanted: float) -> None:
    """Skin of `wanted` voxels from the fat below it.

    Notes
    -----
    Skin is 1.2 to 1.6 mm thick on average. Where voxels are so fine that a layer of one of them
    takes less than its volume, it is closed; where not, it is an even share of that layer, so that
    its mass is right.
    """
    label, code = canvas.new_label("skin"), tissue_code("skin")
    layer = take_outermost(canvas.structure, canvas.tissue, fat, label, code, 0.0)
    share = min(1.0, wanted / max(layer, 1))
    take_outermost(canvas.structure, canvas.tissue, fat, label, code, share)
    if wanted > layer:
        edge = level_of(-outer, canvas.structure == fat, wanted - layer)
        replace(canvas.structure, canvas.tissue, -outer, edge, fat, label, code)


def _claim_below_skin(
    canvas: Canvas,
    gland: Structure,
    outer: FloatArray,
    parameters: AnatomyParameters,
    targets: dict[str, float],
) -> None:
    """A gland takes the lowest values of its field between muscle and skin, as far as they go."""
    box = canvas.box_of(gland)
    target = target_of(gland, parameters)
    if box is None or target is None:
        return
    part = canvas.frame.part(box)
    allowed = canvas.free(box, gland) & (outer[box] < -SKIN_MM)
    wanted = min(round(target.volume_ml / canvas.voxel_ml), int(np.count_nonzero(allowed)))
    if wanted == 0:
        return
    taken, canvas.levels[gland.name] = grow(gland.name, gland.field(part), allowed, wanted)
    canvas.paint(box, taken, gland, None)
    targets[gland.name] = target.volume_ml


def mass_kg(canvas: Canvas) -> float:
    """Mass of all that has been painted, by nominal densities [kg]."""
    counts = np.zeros(len(tissue_rows()), dtype=np.int64)
    count_tissues(canvas.structure, canvas.tissue, counts)
    density = np.array([tissue_density(name) for name in tissue_rows()])
    return float(counts @ density * canvas.voxel_ml * 1e-3)


def _fill_cavities(canvas: Canvas) -> None:
    """Free voxels within the cavities are fat."""
    label = canvas.new_label("torso_fat")
    for name in ("thoracic_cavity", "trunk_cavity"):
        region = canvas.regions[name]
        reach = CAVITY_REACH_MM if name == CAVITY else 2.0
        low, high = region.bounds()
        box = canvas.frame.box_of(low - reach, high + reach)
        if box is None:
            continue
        values = canvas.edge(name, box)
        zc = canvas.frame.zc[box[0]]
        taken = (canvas.structure[box] == 0) & (values < 0.0)
        taken[(zc < low[2]) | (zc > high[2])] = False
        if name != CAVITY:  # what lies below the diaphragm but beside its cavity is muscle
            taken &= canvas.edge("dome", box) > 0.0
        canvas.structure[box][taken] = label
        canvas.tissue[box][taken] = tissue_code("fat_visceral")


def _muscle_ml(parameters: AnatomyParameters) -> float:
    excess_kg = parameters.weight_kg - reference_weight_kg(parameters)
    reference = reference_mass_g("muscle", "whole", parameters)
    share = LEAN_SHARE_OF_EXCESS if excess_kg > 0.0 else LEAN_SHARE_OF_LACK
    grams = reference * parameters.height_ratio**2 + share * 1e3 * excess_kg
    return max(grams, 0.5 * reference) * parameters.scale_of("muscle") / tissue_density("muscle")


def _skin_ml(parameters: AnatomyParameters) -> float:
    ratio = parameters.weight_kg / reference_weight_kg(parameters)
    grams = reference_mass_g("skin", "whole", parameters) * parameters.height_ratio**2 * ratio**0.4
    return float(grams / tissue_density("skin"))


def _fat_ml(canvas: Canvas, parameters: AnatomyParameters, skin_ml: float) -> float:
    """Volume of the fat under the skin: what the weight leaves, times the scale asked for."""
    grams = 1e3 * (parameters.weight_kg - mass_kg(canvas)) - skin_ml * tissue_density("skin")
    if grams < 1000.0:
        raise InputError(
            f"{parameters.weight_kg:.1f} kg at {parameters.height_mm:.0f} mm leave"
            f" {grams:.0f} g for the fat under the skin: raise weight_kg or lower organ_scale"
        )
    return parameters.fat_scale * grams / tissue_density("fat")
