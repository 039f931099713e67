"""Rigid registration of images of one patient, and the record of what was done."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milligray.errors import FormatError, GeometryError, InputError
from milligray.typing import FloatArray
from milligray.volume import Volume

_BINS = 50
_SAMPLED = 0.25
_SHRINK = (4, 2, 1)
_SMOOTH_MM = (6.0, 3.0, 0.0)
_FINEST_MM = 2.0
MAX_ROTATION_DEG = 30.0
"""More than this between two scans of a lying patient is a failed registration."""


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


def register_rigid(
    fixed: Volume, moving: Volume, *, seed: int = 1, fill: tuple[float, float] = (0.0, 0.0)
) -> Registration:
    """Find rotation and translation that bring a moving image onto a fixed one.

    Parameters
    ----------
    fixed : Volume
        The patient's CT [HU], or the first of several SPECT images.
    moving : Volume
        The CT of a later time point [HU], or its SPECT.
    seed : int
        Of the sampling.
    fill : tuple of float
        Values outside fixed and moving image, e.g. -1000 HU.

    Returns
    -------
    Registration

    Raises
    ------
    GeometryError
        If the metric does not improve, or the result turns the patient by more than 30 degrees.

    Notes
    -----
    Mattes mutual information (50 bins, a quarter of the voxels), regular-step gradient descent,
    three levels (shrink 4, 2, 1; smoothing 6, 3, 0 mm; no finer than 2 mm), by SimpleITK in one
    thread: the same input gives the same matrix to rounding. Start: identity if the boxes of the
    two images overlap by half, else their centers. Breathing and posture are not rigid; look at
    the result.
    """
    sitk: Any = import_module("SimpleITK")

    first, second = (
        _image(volume, outside, sitk) for volume, outside in zip((fixed, moving), fill, strict=True)
    )
    start = _start(first, second, sitk)
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(_SAMPLED, seed)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=200, relaxationFactor=0.5,
        gradientMagnitudeTolerance=1e-6,
    )  # fmt: skip
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel(list(_SMOOTH_MM))
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=False)
    before = float(method.MetricEvaluate(first, second))
    try:
        found = method.Execute(first, second)
    except RuntimeError as error:
        raise GeometryError(
            "the registration failed: the two images do not overlap enough; give a transform file"
        ) from error
    method.SetInitialTransform(found, inPlace=False)
    after = float(method.MetricEvaluate(first, second))
    result = Registration(
        method="rigid", matrix=_matrix(found), metric="Mattes mutual information (negative)",
        metric_value=after, initial_metric_value=before,
        iterations=int(method.GetOptimizerIteration()),
        stop=str(method.GetOptimizerStopConditionDescription()),
    )  # fmt: skip
    if after > before + 1e-3 * abs(before):
        raise GeometryError(
            f"the registration did not improve (mutual information {-before:.3g} to {-after:.3g});"
            " give a transform file"
        )
    if result.rotation_deg > MAX_ROTATION_DEG:
        raise GeometryError(
            f"the registration turns the patient by {result.rotation_deg:.0f} degrees: it failed;"
            " give a transform file"
        )
    return result


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
    return Registration(method="file", matrix=_matrix(transform), file=path.name)


def _image(volume: Volume, outside: float, sitk: Any) -> Any:  # noqa: ANN401 - untyped
    """SimpleITK image of a volume, coarsened to 2 mm where it is finer."""
    values = np.asarray(volume.values, dtype=np.float32)
    image = sitk.GetImageFromArray(values)
    affine = volume.grid.affine
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection([float(d) for d in (steps / spacing).ravel()])
    image.SetOrigin([float(o) for o in affine[:3, 3]])
    factor = [
        max(1, int(_FINEST_MM / s + 1e-3)) if n > 8 else 1
        for s, n in zip(spacing, image.GetSize(), strict=True)
    ]
    if max(factor) > 1:
        image = sitk.BinShrink(image, factor)
    return sitk.Cast(sitk.Clamp(image, lowerBound=min(outside, float(values.min()))),
                     sitk.sitkFloat32)  # fmt: skip


def _start(fixed: Any, moving: Any, sitk: Any) -> Any:  # noqa: ANN401
    low, high = _box(fixed)
    low2, high2 = _box(moving)
    common = np.prod(np.clip(np.minimum(high, high2) - np.maximum(low, low2), 0.0, None))
    smaller = min(np.prod(high - low), np.prod(high2 - low2))
    start = sitk.Euler3DTransform()
    start.SetCenter([float(c) for c in 0.5 * (low + high)])
    if common < 0.5 * smaller:
        start.SetTranslation([float(t) for t in 0.5 * (low2 + high2) - 0.5 * (low + high)])
    return start


def _box(image: Any) -> tuple[FloatArray, FloatArray]:  # noqa: ANN401
    size = np.array(image.GetSize(), dtype=np.float64)
    corners = [
        image.TransformContinuousIndexToPhysicalPoint([float(i), float(j), float(k)])
        for i in (-0.5, size[0] - 0.5)
        for j in (-0.5, size[1] - 0.5)
        for k in (-0.5, size[2] - 0.5)
    ]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def _matrix(transform: Any) -> FloatArray:  # noqa: ANN401
    """4x4 matrix of any linear transform, from where it puts four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        unit = [0.0, 0.0, 0.0]
        unit[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(unit)) - origin
    return matrix
