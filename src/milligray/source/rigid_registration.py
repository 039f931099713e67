"""Find the rigid displacement between two images of one patient."""

from importlib import import_module
from typing import Any

import numpy as np

from milligray.errors import GeometryError
from milligray.source.registration import Registration, matrix_of
from milligray.typing import FloatArray
from milligray.volume import Volume

_BINS = 50
_SAMPLED = 0.25
_SHRINK = (4, 2, 1)
_SMOOTH_MM = (6.0, 3.0, 0.0)
_FINEST_MM = 2.0
MIN_CORRELATION = 0.5
MAX_ROTATION_DEG = 30.0
"""More than this between two scans of a lying patient is a failed registration."""


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
        If the metric does not improve, the images do not correlate by 0.5 afterwards, or the
        result turns the patient by more than 30 degrees.

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
        method="rigid", matrix=matrix_of(found), metric="Mattes mutual information (negative)",
        metric_value=after, initial_metric_value=before,
        correlation=_correlation(first, second, found, sitk),
        iterations=int(method.GetOptimizerIteration()),
        stop=str(method.GetOptimizerStopConditionDescription()),
    )  # fmt: skip
    if after > before + 1e-3 * abs(before):
        raise GeometryError(
            f"the registration did not improve (mutual information {-before:.3g} to {-after:.3g});"
            " give a transform file"
        )
    if not result.correlation >= MIN_CORRELATION:
        raise GeometryError(
            f"after registration the two images correlate by {result.correlation:.2f} only (limit"
            f" {MIN_CORRELATION:g}): it failed, or they show different things; give a transform"
            " file"
        )
    if result.rotation_deg > MAX_ROTATION_DEG:
        raise GeometryError(
            f"the registration turns the patient by {result.rotation_deg:.0f} degrees: it failed;"
            " give a transform file"
        )
    return result


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


def _correlation(fixed: Any, moving: Any, transform: Any, sitk: Any) -> float:  # noqa: ANN401
    """Correlation of the values where both images are; NaN where that is nowhere."""
    inside = sitk.Cast(moving * 0 + 1, sitk.sitkUInt8)
    seen = sitk.Resample(inside, fixed, transform, sitk.sitkNearestNeighbor, 0)
    brought = sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
    both = sitk.GetArrayViewFromImage(seen) > 0
    if np.count_nonzero(both) < 2:
        return float("nan")
    first, second = (sitk.GetArrayViewFromImage(image)[both] for image in (fixed, brought))
    return float(np.corrcoef(first, second)[0, 1])


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
