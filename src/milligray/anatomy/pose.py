"""Pose: limbs turned about their joints."""

import numpy as np
from scipy.spatial.transform import Rotation

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.motion import Motion
from milligray.anatomy.parameters import AnatomyParameters

SHOULDER_MM = (180.0, 36.0, 1412.0)
ARM_SPREAD_RAD, ARM_SPREAD_MAX_RAD = np.deg2rad(0.5), np.deg2rad(10.0)
"""Per kg/m2 beyond `SLENDER_BMI`."""
SLENDER_BMI = 24.0
RAISED = {
    "arm": (162.0, SHOULDER_MM, 20.0),
    "girdle": (22.0, (60.0, 30.0, 1430.0), 0.0),
    "clavicle": (16.5, (24.0, -36.0, 1453.0), 0.0),
}
"""Limbs with the arms up: turn outward and up [degrees], about what, shift upward [mm].

The shoulder blade glides on the ribs, the clavicle turns in its joint with the sternum and stays
at the acromion.
"""


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
    if limb not in RAISED:
        return structure
    angle, about, up = RAISED[limb]
    turn = Rotation.from_rotvec([0.0, -sign * np.deg2rad(angle), 0.0]).as_matrix()
    center = np.array(about) * (sign, 1.0, 1.0)
    return structure.moved(Motion(turn, center, np.array([0.0, 0.0, up])))
