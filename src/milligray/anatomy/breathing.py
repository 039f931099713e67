"""Breathing: how far the diaphragm stands below its rest, and what moves down with it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import target_of
from milligray.typing import FloatArray

if TYPE_CHECKING:
    from milligray.anatomy.blueprint import Structure
    from milligray.anatomy.canvas import Canvas

COARSE = 2
"""Every second voxel along each axis is enough to find the level of the diaphragm."""
MOTION = {
    "organs": ((1060.0, 0.0), (1250.0, 0.55), (1310.0, 0.55), (1440.0, 0.0)),
    "abdomen": ((960.0, 0.0), (1230.0, 1.0)),
}
"""By stage: canonical height [mm] and the share of the diaphragm's descent that organs there make.

The heart stands on the central tendon, which moves about half as far as the domes.
"""


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
        free = canvas.free(coarse, lung, part) & (lung.field(part) < 0.0)  # type: ignore[arg-type]
        heights.append(canvas.regions[order].field(part)[free])
    every = np.sort(np.concatenate(heights))[::-1]
    return -float(every[min(round(wanted), every.size - 1)])
