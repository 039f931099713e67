"""What the report says of the network that gave the doses."""

from collections.abc import Mapping
from typing import Any

from milligray.report.result import ExamResult
from milligray.report.wording import show

_ROWS = (
    ("name", "Network"),
    ("title", "What it is"),
    ("version", "Version"),
    ("sha256", "SHA-256 over its files"),
    ("system", "System"),
    ("license", "License"),
    ("validity", "Made for"),
    ("data", "Learned from"),
    ("training", "Training"),
    ("references", "References"),
)


def network_table(result: ExamResult) -> list[tuple[str, str]]:
    """Network of a prediction, as (what, value), from the manifest's ``models``."""
    model = _model(result)
    rows = [(label, show(model[key])) for key, label in _ROWS if model.get(key)]
    stages = result.manifest.get("stage_seconds")
    if isinstance(stages, Mapping) and stages:
        rows.append(("Seconds by stage", show(stages)))
    if hardware := result.manifest.get("hardware"):
        rows.append(
            ("Hardware", f"{show(hardware)}; {show(result.manifest.get('threads'))} thread")
        )
    return rows


def network_limits(result: ExamResult) -> tuple[str, ...]:
    """Limits that the card of the network states."""
    limits = _model(result).get("limits") or ()
    return tuple(str(limit) for limit in limits)


def _model(result: ExamResult) -> dict[str, Any]:
    models = result.manifest.get("models") or ()
    return dict(models[0]) if models else {}
