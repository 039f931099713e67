"""Where the points of one image lie in another: the record of a registration, and its files."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milligray.errors import FormatError, GeometryError, InputError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """Where the points of a fixed image lie in a moving one.

    Parameters
    ----------
    method : {"none", "rigid", "file"}
    matrix : ndarray, shape (4, 4) [mm]
        Maps LPS points of the fixed image (the patient's CT) to those of the moving one.
    metric : str
        Name of what was optimized, "" if nothing was.
    metric_value, initial_metric_value : float
        At the end and at the start; smaller is better. NaN if nothing was optimized.
    correlation : float
        Of the two images after registration, over where both are; NaN if nothing was optimized.
    iterations : int
    stop : str
        Why the optimizer stopped.
    file : str
        Name of a transform file.
    notes : tuple of str
    """

    method: Literal["none", "rigid", "file"] = "none"
    matrix: FloatArray
    metric: str = ""
    metric_value: float = float("nan")
    initial_metric_value: float = float("nan")
    correlation: float = float("nan")
    iterations: int = 0
    stop: str = ""
    file: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)):
            raise GeometryError("a registration needs a finite 4x4 matrix")
        turn = matrix[:3, :3]
        if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-3) or np.linalg.det(turn) < 0:
            raise GeometryError(
                "the transform is not rigid (it scales, shears or mirrors): activity would not be"
                " conserved; give a rotation and translation"
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @property
    def rotation_deg(self) -> float:
        """Angle of the rotation [deg]."""
        cosine = 0.5 * (np.trace(self.matrix[:3, :3]) - 1.0)
        return float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))

    def shift_mm(self, point_lps_mm: FloatArray) -> FloatArray:
        """How far a point of the fixed image is moved, LPS [mm]."""
        point = np.asarray(point_lps_mm, dtype=np.float64)
        return np.asarray(self.matrix[:3, :3] @ point + self.matrix[:3, 3] - point)

    def followed_by(self, other: "Registration") -> "Registration":
        """From the fixed image of this to the moving image of the other, e.g. by a first SPECT."""
        both = [*self.notes, *other.notes]
        both.append(f"two registrations one after the other: {self.method}, {other.method}")
        return replace(
            self if other.method == "none" else other,
            matrix=other.matrix @ self.matrix,
            notes=tuple(both),
        )

    @property
    def is_identity(self) -> bool:
        """True if no point is moved."""
        return bool(np.array_equal(self.matrix, np.eye(4)))


def no_registration() -> Registration:
    """Both images lie in one frame of reference."""
    return Registration(matrix=np.eye(4))


def read_transform(path: str | Path) -> Registration:
    """Read a rigid transform: fixed (CT) to moving (activity image) points, LPS [mm].

    Parameters
    ----------
    path : str or Path
        ITK transform (.tfm, .txt, .mat, .h5, .hdf5), or a text file of a 4x4 matrix (.csv,
        .matrix).

    Raises
    ------
    InputError
        If the file does not exist.
    FormatError
        If it holds no transform.
    GeometryError
        If the transform is not rigid.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"transform file {path} does not exist")
    if path.suffix.lower() in (".csv", ".matrix"):
        try:
            delimiter = "," if "," in path.read_text(encoding="utf-8") else None
            matrix = np.loadtxt(path, delimiter=delimiter, ndmin=2)
        except (ValueError, UnicodeDecodeError) as error:
            raise FormatError(f"{path.name} holds no matrix of numbers") from error
        if matrix.shape != (4, 4) or not np.allclose(matrix[3], [0, 0, 0, 1]):
            raise FormatError(f"{path.name} must hold a 4x4 matrix with last row 0 0 0 1")
        return Registration(method="file", matrix=matrix, file=path.name)
    sitk: Any = import_module("SimpleITK")

    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise FormatError(f"{path.name} is no transform that ITK can read") from error
    if not transform.IsLinear():
        raise GeometryError(
            f"{path.name} holds a deformation: activity would not be conserved; give a rigid one"
        )
    return Registration(method="file", matrix=matrix_of(transform), file=path.name)


def matrix_of(transform: Any) -> FloatArray:  # noqa: ANN401
    """4x4 matrix of any linear transform, from where it puts four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        unit = [0.0, 0.0, 0.0]
        unit[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(unit)) - origin
    return matrix
