"""Array aliases. Shapes and units stand in the docstrings; these say only the kind of number."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
LabelArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
