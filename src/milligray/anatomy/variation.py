"""Random differences between persons: proportions, curve of the spine, place of organs."""

import hashlib
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.frame import BodyFrame
from milligray.anatomy.motion import Motion
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.shapes import Sections
from milligray.typing import FloatArray

STILL_GROUPS = ("", "head")
ORGAN_SHIFT_MM, ORGAN_TURN_DEG = 3.0, 3.0
WIDTH_SD, HEAD_WIDTH_SD, PROPORTION_SD = 0.03, 0.02, 0.02
LORDOSIS_MM, SCOLIOSIS_MM = 5.0, 2.5
CURVE_KNOTS_MM = (850.0, 1050.0, 1200.0, 1350.0, 1500.0, 1620.0)
"""Canonical heights at which the spine bends at random; below and above it goes straight on."""


def varied_frame(frame: BodyFrame, parameters: AnatomyParameters) -> BodyFrame:
    """The frame with this person's proportions and curves.

    Notes
    -----
    Legs against trunk, and smooth relative changes of width and depth along the height, are
    normal with 2 % and 3 % (head 2 %, width against depth); slices are shifted to the side and
    to the front along a smooth curve (scoliosis 2.5 mm, lordosis and kyphosis 5 mm). All times
    ``variation``.
    """
    strength = parameters.variation
    if strength == 0.0:
        return frame
    chance = generator(parameters, "frame")
    heights = frame.body_z_mm.copy()
    hip = int(np.argmin(np.abs(frame.canonical_z_mm - 922.0)))
    legs = 1.0 + strength * PROPORTION_SD * _normal(chance)
    shift = heights[hip] * (legs - 1.0)
    trunk = heights[-3] - heights[hip]
    heights[: hip + 1] *= legs
    heights[hip + 1 : -2] += shift * (heights[-3] - heights[hip + 1 : -2]) / trunk
    head = frame.width_z_mm >= frame.canonical_z_mm[-2]
    spread = np.where(head, HEAD_WIDTH_SD, WIDTH_SD) * strength
    z = frame.width_z_mm
    wider, deeper = spread * _smooth(chance, z), spread * _smooth(chance, z)
    deeper = np.where(head, -wider, deeper)  # long heads are narrow: the brain keeps its room
    return replace(
        frame,
        body_z_mm=heights,
        width=frame.width * (1.0 + wider),
        depth=frame.depth * (1.0 + deeper),
        shift_x_mm=frame.shift_x_mm + strength * SCOLIOSIS_MM * _curve(chance, z),
        shift_y_mm=frame.shift_y_mm + strength * LORDOSIS_MM * _curve(chance, z),
    )


def varied_structure(structure: Structure, parameters: AnatomyParameters) -> Structure:
    """A structure moved with its group: 3 mm along each axis and 3 degrees, one sigma."""
    strength = parameters.variation
    if strength == 0.0 or structure.group in STILL_GROUPS or structure.stage == "region":
        return structure
    chance = generator(parameters, structure.group)
    shift = strength * ORGAN_SHIFT_MM * np.array([_normal(chance) for _ in range(3)])
    turn = np.deg2rad(strength * ORGAN_TURN_DEG) * np.array([_normal(chance) for _ in range(3)])
    low, high = structure.bounds()
    center = 0.5 * (low + high)
    if any(isinstance(s, Sections) for s in structure.shapes):
        turn = np.zeros(3)
    return structure.moved(Motion(Rotation.from_rotvec(turn).as_matrix(), center, shift))


def generator(parameters: AnatomyParameters, name: str) -> np.random.Generator:
    """Random numbers of one named part of a person: a part more or less changes no other."""
    digest = hashlib.sha256(f"{parameters.seed}|{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "little")))


def _normal(chance: np.random.Generator) -> float:
    """Standard normal number within two sigma."""
    return float(np.clip(chance.standard_normal(), -2.0, 2.0))


def _smooth(chance: np.random.Generator, z_mm: FloatArray) -> FloatArray:
    """Smooth normal function of height with a correlation length of about 300 mm."""
    knots = np.linspace(z_mm[0], z_mm[-1], 7)
    values = [_normal(chance) for _ in knots]
    return np.asarray(CubicSpline(knots, values, bc_type="natural")(z_mm))


def _curve(chance: np.random.Generator, z_mm: FloatArray) -> FloatArray:
    """Bend of the trunk, zero at and below the hips."""
    knots = np.array(CURVE_KNOTS_MM)
    values = np.array([0.0, *(_normal(chance) for _ in knots[1:-1]), 0.0])
    inside = np.clip(z_mm, knots[0], knots[-1])
    return np.asarray(CubicSpline(knots, values, bc_type="clamped")(inside))
