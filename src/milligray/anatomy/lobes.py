"""Lobes: a whole that has claimed its space, cut into parts by curved surfaces."""

import numpy as np

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.canvas import Box, Canvas, tissue_code
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import reference_mass_g, target_of
from milligray.typing import BoolArray


def paint_lobes(
    canvas: Canvas,
    box: Box,
    whole: BoolArray,
    structure: Structure,
    parameters: AnatomyParameters,
) -> dict[str, float]:
    """Give the voxels of a whole to its lobes.

    Every lobe takes the lowest values of the field of its fissure within what is left, by its
    share of the reference mass; the last takes the rest.

    Returns
    -------
    dict of str to float [mL]
        Volumes that the lobes should have.
    """
    target = target_of(structure, parameters)
    whole_ml = np.count_nonzero(whole) * canvas.voxel_ml if target is None else target.volume_ml
    masses = [reference_mass_g(name, "whole", parameters) for name, _ in structure.lobes]
    left = whole.copy()
    size = int(np.count_nonzero(whole))
    volumes = {}
    for (name, fissure), mass in zip(structure.lobes, masses, strict=True):
        lobe = left
        if fissure:
            values = canvas.edge(fissure, box)
            count = min(round(size * mass / sum(masses)), int(np.count_nonzero(left)) - 1)
            level = np.partition(values[left], count)[count]
            lobe = left & (values < level)
            left = left & ~lobe
        canvas.structure[box][lobe] = canvas.new_label(name)
        canvas.tissue[box][lobe] = tissue_code(structure.tissue)
        volumes[name] = float(whole_ml * mass / sum(masses))
    return volumes
