"""Pose: limbs turned about their joints."""

import numpy as np
from scipy.spatial.transform import Rotation

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.shapes import Motion

SHOULDER_MM = (180.0, 36.0, 1412.0)
ARM_RAISED_RAD = np.deg2rad(162.0)
GIRDLE_RAISED_RAD = np.deg2rad(22.0)
ARM_SPREAD_RAD, ARM_SPREAD_MAX_RAD = np.deg2rad(0.5), np.deg2rad(10.0)
"""Per kg/m2 beyond `SLENDER_BMI`."""
SLENDER_BMI = 24.0
GIRDLE_MM = (60.0, 30.0, 1430.0)


def posed(structure: Structure, parameters: AnatomyParameters) -> Structure:
    """A structure in the pose asked for: raised arms turn about the shoulder, beside the head.

    Arms that hang down stand off from a trunk that is broad.
    """
    if not structure.limb:
        return structure
    limb, _, side = structure.limb.partition("_")
    sign = 1.0 if side == "left" else -1.0
    if parameters.arms == "down":
        spread = min(ARM_SPREAD_RAD * max(parameters.bmi - SLENDER_BMI, 0.0), ARM_SPREAD_MAX_RAD)
        if limb != "arm" or spread == 0.0:
            return structure
        turn = Rotation.from_rotvec([0.0, -sign * spread, 0.0]).as_matrix()
        center = np.array(SHOULDER_MM) * (sign, 1.0, 1.0)
        return structure.moved(Motion(turn, center, np.zeros(3)))
    angle = {"arm": ARM_RAISED_RAD, "girdle": GIRDLE_RAISED_RAD}.get(limb, 0.0)
    center = np.array(SHOULDER_MM if limb == "arm" else GIRDLE_MM) * (sign, 1.0, 1.0)
    turn = Rotation.from_rotvec([0.0, -sign * angle, 0.0]).as_matrix()
    shift = np.array([0.0, 0.0, 20.0]) if limb == "arm" else np.zeros(3)
    return structure.moved(Motion(turn, center, shift))
