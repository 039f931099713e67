"""Models of organ doses in slices that the study of the published arrays compares."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.learn.inputs.slice_context import (
    CONTEXT,
    ScanProfile,
    landmark_features,
    slice_context,
)
from milligray.train.slice_mlp.organ_ridge import (
    OrganRidge,
    RidgeSettings,
    even_rows,
    fit_organ_ridge,
)
from milligray.train.slice_mlp.slice_arrays import SliceRows, grouped_folds
from milligray.typing import BoolArray, FloatArray

LEAST_DOSE_MGY = 0.15
"""Doses are rounded to 0.1 mGy: below, logarithms say nothing."""
GROUPS = {
    "base": CONTEXT[:4], "scatter": CONTEXT[4:9], "size": CONTEXT[9:15], "air": CONTEXT[15:20],
    "organ": CONTEXT[20:28], "range": CONTEXT[28:],
}  # fmt: skip
PRIOR = {"log_current_around": 1.0, "size_around": -0.5, "log_air_880": 1.0}
"""Slopes that physics expects: dose goes with the current, exp(-0.05 d / 10 mm), tissue share."""
SETS = (
    ("base", "scatter"), ("base", "scatter", "air"), ("base", "scatter", "air", "organ", "range"),
)  # fmt: skip
PENALTIES = (30.0, 100.0)
UPPER_END_MM = (0.0, 40.0)
"""What the simulated range may lack at the upper end of the images."""
BOOSTING: dict[str, Any] = {
    "max_iter": 120, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 80,
    "l2_regularization": 10.0, "max_features": 0.3, "random_state": 0, "early_stopping": False,
}  # fmt: skip
_SLICES_OF_AN_ORGAN, _RATIO_LIMITS = 12, (0.5, 1.7)
_SHARES = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceTable:
    """Rows and what surrounds them; no dose goes into the features.

    Parameters
    ----------
    rows : SliceRows
    mean_current_ma : ndarray, shape (n,)
        Mean over the slices of the scan.
    context : mapping of upper end [mm] to ndarray, shape (n, len(CONTEXT))
    landmarks : ndarray, shape (n, 3 n_organs)
    """

    rows: SliceRows
    mean_current_ma: FloatArray
    context: Mapping[float, FloatArray]
    landmarks: FloatArray

    @property
    def published(self) -> FloatArray:
        """The five features of the authors."""
        r = self.rows
        return np.stack([r.mean_hu, r.sd_hu, r.current_ma, r.diameter_mm, r.z_mm], axis=1)

    def columns(
        self, groups: tuple[str, ...], upper_end_mm: float
    ) -> tuple[FloatArray, FloatArray]:
        """Features of some groups and the logarithm of the mean current; the slopes expected."""
        names = [name for group in groups for name in GROUPS[group]]
        index = [CONTEXT.index(name) for name in names]
        features = np.column_stack(
            [self.context[upper_end_mm][:, index], np.log(self.mean_current_ma)]
        )
        return features, np.array([*(PRIOR.get(name, 0.0) for name in names), 1.0])


def build_slice_table(rows: SliceRows) -> SliceTable:
    """Join the organs of each scan: its slices give current and size along z."""
    n = len(rows.organ)
    context = {end: np.empty((n, len(CONTEXT))) for end in UPPER_END_MM}
    landmarks = np.empty((n, 3 * len(rows.organ_names)))
    mean = np.empty(n)
    for patient in np.unique(rows.patient):
        mine = np.flatnonzero(rows.patient == patient)
        z, first = np.unique(rows.z_mm[mine], return_index=True)
        half = 0.5 * float(np.median(np.diff(z)))
        current = rows.current_ma[mine][first]
        mean[mine] = current.mean()
        for end, found in context.items():
            profile = ScanProfile(
                z_mm=z, current=current, diameter_mm=rows.diameter_mm[mine][first],
                range_mm=(z[0] - half, z[-1] + half - end),
            )  # fmt: skip
            found[mine] = slice_context(
                profile, rows.organ[mine], rows.z_mm[mine], rows.mean_hu[mine], rows.sd_hu[mine]
            )
        organs = {
            name: (rows.z_mm[mine][here], rows.mean_hu[mine][here])
            for j, name in enumerate(rows.organ_names)
            for here in [rows.organ[mine] == j]
        }
        landmarks[mine] = landmark_features(organs, rows.z_mm[mine])
    return SliceTable(rows=rows, mean_current_ma=mean, context=context, landmarks=landmarks)


def rule_doses(table: SliceTable, train: BoolArray) -> FloatArray:
    """``log D = a log(mA) - b d_w + c`` of each organ by least squares; doses of all rows."""
    r = table.rows
    x = np.column_stack([np.ones(len(r.organ)), np.log(r.current_ma), r.diameter_mm / 100.0])
    found = np.zeros(len(r.organ))
    for j in range(len(r.organ_names)):
        mine = r.organ == j
        fit = mine & train & (r.dose_mgy > LEAST_DOSE_MGY)
        slopes = np.linalg.lstsq(x[fit], np.log(r.dose_mgy[fit]), rcond=None)[0]
        found[mine] = np.exp(x[mine] @ slopes)
    return found


def boosting_doses(table: SliceTable, train: BoolArray) -> FloatArray:
    """Gradient boosting on the five published features, one model an organ, as it comes."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - heavy

    r, x = table.rows, table.published
    found = np.zeros(len(r.organ))
    for j in range(len(r.organ_names)):
        mine = r.organ == j
        model = HistGradientBoostingRegressor(random_state=0, early_stopping=False)
        model.fit(x[mine & train], r.dose_mgy[mine & train])
        found[mine] = model.predict(x[mine])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a physics model is made of."""

    groups: tuple[str, ...]
    organ_penalty: float
    upper_end_mm: float


CHOICES = tuple(
    Choice(groups=groups, organ_penalty=penalty, upper_end_mm=end)
    for groups, penalty, end in product(SETS, PENALTIES, UPPER_END_MM)
)


def physics_doses(table: SliceTable, train: BoolArray, choice: Choice) -> FloatArray:
    """Ridge regression of log doses on a choice of features; doses of all rows."""
    x, prior = table.columns(choice.groups, choice.upper_end_mm)
    return ridge_doses(table, train, x, prior, choice.organ_penalty)


def ridge_doses(
    table: SliceTable, train: BoolArray, x: FloatArray, prior: FloatArray, organ_penalty: float
) -> FloatArray:
    """The same on any features."""
    r = table.rows
    model: OrganRidge = fit_organ_ridge(
        x[train], r.organ[train], r.patient[train], r.dose_mgy[train], prior,
        RidgeSettings(organ_penalty=organ_penalty), n_organs=len(r.organ_names),
        least_dose=LEAST_DOSE_MGY,
    )  # fmt: skip
    return np.asarray(np.exp(model.log_dose(x, r.organ)))


def boosted_doses(
    table: SliceTable, train: BoolArray, choice: Choice, physics: FloatArray
) -> FloatArray:
    """Physics times what gradient boosting of all organs together says of its ratio to truth.

    Notes
    -----
    Features: organ, published ones, all of `CONTEXT`, place relative to the other organs and their
    HU. At most 12 slices of an organ of a patient, so that organs weigh alike; ratios are cut at
    0.5 and 1.7 against patients whose scale is off.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - heavy

    r = table.rows
    x = np.column_stack(
        [r.organ, table.published, np.log(table.mean_current_ma),
         table.context[choice.upper_end_mm], table.landmarks]
    ).astype(np.float32)  # fmt: skip
    some = train & even_rows(r.patient * len(r.organ_names) + r.organ, _SLICES_OF_AN_ORGAN)
    model = HistGradientBoostingRegressor(categorical_features=[0], **BOOSTING)
    model.fit(x[some], np.clip(r.dose_mgy / physics, *_RATIO_LIMITS)[some])
    return np.asarray(physics * np.maximum(model.predict(x), _RATIO_LIMITS[0]))


def nested_doses(
    table: SliceTable, train: BoolArray, *, inner: int = 4, boosted_inner: int = 3
) -> tuple[FloatArray, FloatArray, Choice, float]:
    """Physics and physics with boosting, all choices made on the training patients.

    Parameters
    ----------
    table : SliceTable
    train : ndarray of bool
    inner, boosted_inner : int
        Folds of the training patients for the choice of features and penalty, and of the share of
        the boosting.

    Returns
    -------
    physics, combined : ndarray, shape (n,)
    choice : Choice
    share : float
        Of the boosting, in the logarithm: ``physics^(1 - share) boosted^share``.
    """
    r = table.rows
    fold = _inner_folds(r, train, inner)
    scores = []
    for choice in CHOICES:
        found = np.zeros(len(r.organ))
        for k in range(inner):
            found[fold == k] = physics_doses(table, train & (fold != k), choice)[fold == k]
        scores.append(typical_error(r, found, train))
    choice = CHOICES[int(np.argmin(scores))]
    fold = _inner_folds(r, train, boosted_inner)
    parts = np.zeros((2, len(r.organ)))
    for k in range(boosted_inner):
        part = physics_doses(table, train & (fold != k), choice)
        boosted = boosted_doses(table, train & (fold != k), choice, part)
        parts[0, fold == k], parts[1, fold == k] = part[fold == k], boosted[fold == k]
    share = min(_SHARES, key=lambda s: typical_error(r, combine(parts[0], parts[1], s), train))
    physics = physics_doses(table, train, choice)
    boosted = boosted_doses(table, train, choice, physics)
    return physics, combine(physics, boosted, share), choice, share


def combine(physics: FloatArray, boosted: FloatArray, share: float) -> FloatArray:
    """Weighted geometric mean."""
    tiny = 1e-6
    return np.asarray(np.maximum(physics, tiny) ** (1 - share) * np.maximum(boosted, tiny) ** share)


def organ_errors(
    r: SliceRows, dose: FloatArray, of: BoolArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """Patients, organs and relative errors of organ doses (means over slices, equal weights)."""
    n = len(r.organ_names)
    pairs, owner = np.unique(r.patient[of] * n + r.organ[of], return_inverse=True)
    truth = np.bincount(owner, r.dose_mgy[of])
    return pairs // n, pairs % n, np.bincount(owner, dose[of]) / truth - 1.0


def typical_error(r: SliceRows, dose: FloatArray, of: BoolArray) -> float:
    """Mean over the organs of the median absolute error of the organ dose."""
    _, organ, error = organ_errors(r, dose, of)
    return float(np.mean([np.median(np.abs(error[organ == j])) for j in np.unique(organ)]))


def _inner_folds(r: SliceRows, train: BoolArray, count: int) -> npt.NDArray[np.int64]:
    fold = np.full(len(r.organ), -1)
    fold[train] = grouped_folds(r.person[train], count, seed=7)
    return fold
