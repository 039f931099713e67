"""Tables in the form of the published ones."""

from collections.abc import Mapping

from milligray.evaluate.bootstrap import RESAMPLES
from milligray.evaluate.errors_of_values import MEASURES
from milligray.evaluate.images import ImageAgreement
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.summary import ErrorSummary, summarize_errors
from milligray.evaluate.table import Cell, Column, Table

ALL = "all"


def organ_table(
    pairs: ValuePairs,
    *,
    unit: str = "mGy",
    resamples: int = RESAMPLES,
    name: str = "organs",
    title: str = "Errors by organ",
) -> Table:
    """Errors of each organ over the patients, and of all values together.

    Parameters
    ----------
    pairs : ValuePairs
    unit : str
    resamples : int
        Of the bootstrap by patient for the interval of MAPE; 0 for none.
    name, title : str
    """
    groups = [(organ, pairs.of_organ(organ)) for organ in pairs.organ_names]
    summaries = [(organ, _summarize(some, resamples)) for organ, some in groups]
    if len(groups) != 1:
        summaries.append((ALL, _summarize(pairs, resamples)))
    return Table(
        name=name,
        title=title,
        columns=(Column(key="organ", title="organ", kind="text"), *_error_columns(unit)),
        rows=tuple({"organ": organ, **_error_row(s)} for organ, s in summaries),
        notes=_notes(resamples),
    )


def system_table(
    systems: Mapping[str, ValuePairs],
    *,
    unit: str = "mGy",
    resamples: int = RESAMPLES,
    name: str = "systems",
    title: str = "Errors by system, all organs",
) -> Table:
    """Errors of several predictions of the same values, one row a system."""
    return Table(
        name=name,
        title=title,
        columns=(Column(key="system", title="system", kind="text"), *_error_columns(unit)),
        rows=tuple(
            {"system": system, **_error_row(_summarize(pairs, resamples))}
            for system, pairs in systems.items()
        ),
        notes=_notes(resamples),
    )


def image_table(
    images: Mapping[str, ImageAgreement],
    gammas: Mapping[str, Mapping[str, float]] | None = None,
    *,
    unit: str = "mGy",
    mask: str,
    name: str = "voxels",
    title: str = "Agreement of the dose maps, voxel by voxel",
) -> Table:
    """One row an exam (or a mean over exams, made by the caller).

    Parameters
    ----------
    images : mapping of str to ImageAgreement
    gammas : mapping of str to mapping of str to float, optional
        Pass rates of an exam by criterion (``GammaSettings.label``).
    unit : str
    mask : str
        Which voxels were judged, in words.
    name, title : str
    """
    criteria = list(dict.fromkeys(c for one in (gammas or {}).values() for c in one))
    rows: list[dict[str, Cell]] = []
    for exam, found in images.items():
        row: dict[str, Cell] = {
            "exam": exam,
            "n_voxels": found.n_voxels,
            **{key: found.values[key] for key in _VOXEL_MEASURES},
            "structural_similarity": found.structural_similarity,
            "peak_signal_to_noise_db": found.peak_signal_to_noise_db,
        }
        row.update({f"gamma {c}": (gammas or {}).get(exam, {}).get(c) for c in criteria})
        rows.append(row)
    return Table(
        name=name,
        title=title,
        columns=(
            Column(key="exam", title="exam", kind="text"),
            Column(key="n_voxels", title="voxels", kind="count"),
            *(_measure_column(key, unit) for key in _VOXEL_MEASURES),
            Column(key="structural_similarity", title="SSIM", digits=4),
            Column(key="peak_signal_to_noise_db", title="PSNR [dB]", digits=1),
            *(Column(key=f"gamma {c}", title=f"γ ≤ 1, {c} [%]", kind="percent") for c in criteria),
        ),
        rows=tuple(rows),
        notes=(_VOXEL_NOTE.format(mask=mask),),
    )


_VALUE_MEASURES = (
    "mean_error",
    "mean_absolute_error",
    "mean_relative_error",
    "mean_relative_absolute_error",
    "median_relative_absolute_error",
    "relative_root_mean_squared_error",
    "coefficient_of_determination",
    "pearson_correlation",
)
_VOXEL_MEASURES = (
    "mean_error",
    "mean_absolute_error",
    "mean_relative_error",
    "mean_relative_absolute_error",
    "relative_root_mean_squared_error",
    "coefficient_of_determination",
)
_VOXEL_NOTE = (
    "Voxels judged: {mask}. Scale of SSIM and peak of PSNR: the largest reference dose among them."
)
_MAPE = "mean_relative_absolute_error"


def _summarize(pairs: ValuePairs, resamples: int) -> ErrorSummary:
    return summarize_errors(
        pairs, measures=_VALUE_MEASURES, with_interval=(_MAPE,), resamples=resamples
    )


def _error_columns(unit: str) -> tuple[Column, ...]:
    columns = [
        Column(key="patients", title="patients", kind="count"),
        Column(key="values", title="values", kind="count"),
        Column(key="mean_reference", title=f"reference [{unit}]"),
    ]
    for key in _VALUE_MEASURES:
        columns.append(_measure_column(key, unit))
        if key == _MAPE:
            columns.append(Column(key=f"{_MAPE}_low", title="from", kind="percent"))
            columns.append(Column(key=f"{_MAPE}_high", title="to", kind="percent"))
    return tuple(columns)


def _measure_column(key: str, unit: str) -> Column:
    measure = MEASURES[key]
    if measure.kind == "number":
        return Column(key=key, title=measure.symbol, digits=3)
    if measure.kind == "fraction":
        return Column(key=key, title=f"{measure.symbol} [%]", kind="percent")
    return Column(key=key, title=f"{measure.symbol} [{unit}]", digits=3)


def _error_row(found: ErrorSummary) -> dict[str, Cell]:
    low, high = found.intervals[_MAPE]
    return {
        "patients": found.n_patients,
        "values": found.n,
        "mean_reference": found.mean_reference,
        **{key: found.values[key] for key in _VALUE_MEASURES},
        f"{_MAPE}_low": low,
        f"{_MAPE}_high": high,
    }


def _notes(resamples: int) -> tuple[str, ...]:
    if resamples == 0:
        return ()
    return ("from, to: 95 % interval of MAPE by bootstrap of patients (none for one patient).",)
