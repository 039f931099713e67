"""Breathing: how far the diaphragm stands below its rest, and what moves down with it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from milligray.anatomy.frame import BodyFrame, VoxelFrame
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import target_of
from milligray.typing import FloatArray

if TYPE_CHECKING:
    from milligray.anatomy.blueprint import Structure
    from milligray.anatomy.canvas import Canvas

COARSE = 2
"""Every second voxel along each axis is enough to find the level of the diaphragm."""
MOTION = {
    "organs": ((1060.0, 0.0), (1250.0, 0.55), (1360.0, 0.5), (1485.0, 0.0)),
    "abdomen": ((960.0, 0.0), (1230.0, 1.0)),
}
"""By stage: canonical height [mm] and the share of the diaphragm's descent that organs there make.

The heart stands on the central tendon, which moves about half as far as the domes.
"""

THINNER = 0.035
"""How much thinner [mm] what follows the diaphragm becomes all around per mm of stretch."""
QUIET_DENSITY_G_CM3, FULL_DENSITY_G_CM3 = 0.27, 0.18
"""Lung density at which the rib cage is as in the blueprint, and at full inspiration."""
CHEST_Z_MM = (1120.0, 1188.0, 1300.0, 1400.0, 1450.0, 1500.0)
CHEST_SHARE = (0.0, 0.5, 1.0, 0.8, 0.4, 0.0)
CHEST_GAIN = (0.045, 0.08)
"""Wider and deeper rib cage at full inspiration, by canonical height."""


def chest_of_breath(frame: BodyFrame, parameters: AnatomyParameters) -> BodyFrame:
    """The frame with the rib cage as wide and deep as the inflation of the lungs makes it."""
    quiet, full = 1.0 / QUIET_DENSITY_G_CM3, 1.0 / FULL_DENSITY_G_CM3
    breath = (1.0 / parameters.lung_density_g_cm3 - quiet) / (full - quiet)
    share = breath * np.interp(frame.width_z_mm, CHEST_Z_MM, CHEST_SHARE)
    wider, deeper = CHEST_GAIN
    return replace(
        frame,
        width=frame.width * (1.0 + wider * share),
        depth=frame.depth * (1.0 + deeper * share),
    )


def breathed(frame: VoxelFrame, stage: str, descent_mm: float) -> VoxelFrame:
    """The frame in which the structures of a stage are where breathing has moved them."""
    if stage not in MOTION or descent_mm == 0.0:
        return frame
    heights, shares = (np.array(column) for column in zip(*MOTION[stage], strict=True))
    # a structure stands at z - share(z) descent: what a voxel sees lies higher by as much
    stands = heights - shares * descent_mm
    return replace(frame, zc=frame.zc + descent_mm * np.interp(frame.zc, stands, shares))


def descent_of_diaphragm_mm(
    canvas: "Canvas", lungs: "Sequence[Structure]", parameters: AnatomyParameters
) -> float:
    """How far below its place in the blueprint the diaphragm gives the lungs their volume [mm]."""
    order = lungs[0].ordered_by
    targets = [target_of(lung, parameters) for lung in lungs]
    wanted = sum(t.volume_ml for t in targets if t) / canvas.voxel_ml / COARSE**3
    heights: list[FloatArray] = []
    for lung in lungs:
        box = canvas.box_of(lung)
        if box is None:
            continue
        coarse = tuple(slice(s.start, s.stop, COARSE) for s in box)
        part = canvas.frame.part(coarse)  # type: ignore[arg-type]
        free = canvas.free(coarse, lung) & (lung.field(part) < 0.0)  # type: ignore[arg-type]
        heights.append(canvas.regions[order].field(part)[free])
    every = np.sort(np.concatenate(heights))[::-1]
    return -float(every[min(round(wanted), every.size - 1)])
