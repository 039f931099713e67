"""Radiomics features of organs: seven classes, 107 features, no filters."""

# ruff: noqa: PLC0415 - an optional and slow import

import logging
from typing import Any

import numpy as np

from milligray.learn.extras import require_radiomics
from milligray.segment.organs import OrganMap
from milligray.typing import FloatArray
from milligray.volume import Volume

SPACING_MM = (5.0, 1.0, 1.0)
"""(z, y, x) to which CT and masks are resampled."""
BIN_WIDTH_HU = 25.0
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
LARGEST_ML = 3000.0
"""Beyond that it is no organ but the rest of the body, and would take minutes."""
_LEAST_VOXELS = 8


def radiomics_features(
    ct: Volume, organs: OrganMap, names: tuple[str, ...], *, classes: tuple[str, ...] = CLASSES
) -> tuple[tuple[str, ...], FloatArray]:
    """Features of organs.

    Parameters
    ----------
    ct : Volume [HU]
    organs : OrganMap
        On the CT's grid.
    names : tuple of str
        The organs, in this order.
    classes : tuple of str
        Of the features, some of `CLASSES`.

    Returns
    -------
    feature_names : tuple of str
        ``<class>_<feature>`` in alphabetical order, 107 of all classes.
    features : ndarray, shape (n_organs, n_features)
        NaN for organs that are too small, or too large to be organs.

    Raises
    ------
    MissingExtraError

    Notes
    -----
    The box of each organ and two voxels around is resampled to 1 x 1 x 5 mm, the CT linearly, the
    mask by nearest neighbor; gray levels have bins of 25 HU. Definitions are those of IBSI
    as far as pyradiomics follows them.

    References
    ----------
    van Griethuysen JJM et al. Computational radiomics system to decode the radiographic phenotype.
    Cancer Res 77 (2017) e104-e107.
    """
    require_radiomics()
    import SimpleITK

    extractor = feature_extractor(classes=classes)
    label_of = {name: label for label, name in organs.names.items()}
    found: list[dict[str, float]] = []
    for name in names:
        mask = organs.labels == label_of[name]
        ml = np.count_nonzero(mask) * ct.grid.voxel_volume_cm3
        found.append({} if ml > LARGEST_ML else _features(SimpleITK, extractor, ct, mask))
    columns = tuple(sorted({key for row in found for key in row}))
    table = np.full((len(names), len(columns)), np.nan)
    for i, row in enumerate(found):
        for j, key in enumerate(columns):
            table[i, j] = row.get(key, np.nan)
    return columns, table


def feature_extractor(*, classes: tuple[str, ...] = CLASSES, **settings: float) -> Any:  # noqa: ANN401 - untyped package
    """Pyradiomics' extractor as it is used here.

    Parameters
    ----------
    classes : tuple of str
    **settings
        Of pyradiomics, other than ours: for comparisons with values that were published.
    """
    require_radiomics()
    from radiomics import featureextractor, setVerbosity

    setVerbosity(logging.ERROR + 10)
    extractor = featureextractor.RadiomicsFeatureExtractor(**{"binWidth": BIN_WIDTH_HU, **settings})
    extractor.disableAllFeatures()
    for name in classes:
        extractor.enableFeatureClassByName(name)
    return extractor


def _features(itk: Any, extractor: Any, ct: Volume, mask: Any) -> dict[str, float]:  # noqa: ANN401
    box = tuple(
        slice(max(0, int(hit[0]) - 2), int(hit[-1]) + 3)
        for axis in range(3)
        if (hit := np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))).size
    )
    if len(box) < 3:
        return {}
    image = itk.GetImageFromArray(ct.values[box].astype(np.float32))
    label = itk.GetImageFromArray(mask[box].astype(np.uint8))
    spacing = ct.grid.spacing_mm
    for one in (image, label):
        one.SetSpacing([float(s) for s in reversed(spacing)])
    shape = label.GetSize()[::-1]
    resample = itk.ResampleImageFilter()
    resample.SetOutputSpacing([float(s) for s in reversed(SPACING_MM)])
    resample.SetSize(
        [int(np.ceil(n * s / t)) for n, s, t in zip(shape, spacing, SPACING_MM, strict=True)][::-1]
    )
    resample.SetInterpolator(itk.sitkNearestNeighbor)
    label = resample.Execute(label)
    resample.SetInterpolator(itk.sitkLinear)
    resample.SetDefaultPixelValue(-1000.0)
    image = resample.Execute(image)
    inside = itk.GetArrayViewFromImage(label)
    if np.count_nonzero(inside) < _LEAST_VOXELS:
        return {}
    try:
        values = extractor.execute(image, label)
    except ValueError:  # a mask of one line or plane has no shape in three dimensions
        return {}
    return {
        key.removeprefix("original_"): float(value)
        for key, value in values.items()
        if key.startswith("original_")
    }
