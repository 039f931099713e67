"""Random differences between persons: place and turn of organ groups, curve of the spine."""

from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.frame import BodyFrame
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.shapes import Motion

T = TypeVar("T", Structure, BodyFrame)


def varied(what: T, parameters: AnatomyParameters) -> T:
    """A frame or a structure with the differences that this person's seed gives."""
    return what
