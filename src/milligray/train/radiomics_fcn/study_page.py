"""Tables of the page on the radiomics network, from the files of its study and from its card."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.train.radiomics_fcn.organ_models import MODELS
from milligray.train.radiomics_fcn.study import ALL_ORGANS, CNN, Row, read_rows

BOLD = ("fcn-published", "organ-network")
CNN_AFTER = "fcn-current"
MEASURES = ("mape", "rrmse", "r2")
FEATURES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
LEARNING, TEST = "organs, 5 folds by patient", "organs, test patients"
_PLACE = r"<!-- table: {name} -->\n.*?<!-- end of table -->"


def page_tables(
    splits: Path, features: Path, metrics: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str]:
    """All tables of the page by the name of their place.

    Parameters
    ----------
    splits : Path
        ``radiomics_fcn.csv`` of the study.
    features : Path
        ``radiomics_features.csv`` of ``tools/check_radiomics.py``.
    metrics : mapping
        Of the card of the network that ships.

    Returns
    -------
    dict of str to str
        ``mape``, ``rrmse``, ``r2``, ``learning``, ``test``, ``features``.
    """
    rows = read_rows(splits)
    with features.open(newline="", encoding="utf-8") as stream:
        compared = list(csv.DictReader(stream))
    return {
        **{measure: split_table(rows, measure) for measure in MEASURES},
        "learning": card_table(metrics[LEARNING]),
        "test": card_table(metrics[TEST]),
        "features": feature_table(compared),
    }


def filled(page: str, tables: Mapping[str, str]) -> str:
    """Page with its tables replaced; their places lie between comments (`_PLACE`).

    Raises
    ------
    InputError
        If a table has no place on the page, or several.
    """
    for name, table in tables.items():
        place = re.compile(_PLACE.format(name=name), re.DOTALL)
        if len(place.findall(page)) != 1:
            raise InputError(f"the page must have one place '<!-- table: {name} -->'")
        text = f"<!-- table: {name} -->\n{table}\n<!-- end of table -->"
        page = place.sub(text.replace("\\", r"\\"), page)
    return page


def split_table(rows: Sequence[Row], measure: str) -> str:
    """Medians over the splits, a line a model; relative errors in percent."""
    organs = [o for o in dict.fromkeys(row.organ for row in rows) if o != ALL_ORGANS]
    there = {row.model for row in rows}
    lines = [
        _line(["", "knows", "splits", *map(_short, organs), "all"]),
        "|---" * (4 + len(organs)) + "|",
    ]
    for name, title, knows in _models():
        if name not in there:
            continue
        mine = [row for row in rows if row.model == name]
        cells = []
        for organ in (*organs, ALL_ORGANS):
            median = np.nanmedian([getattr(row, measure) for row in mine if row.organ == organ])
            if measure == "r2":  # of all organs together it only tells that organs differ
                cells.append("" if organ == ALL_ORGANS else f"{median:.2f}")
            else:
                cells.append(f"{100 * median:.1f}")
        shown = f"**{title}**" if name in BOLD else title
        lines.append(_line([shown, knows, str(len({row.split for row in mine})), *cells]))
    return "\n".join(lines)


def card_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Errors of the network that ships: one protocol (first set) beside random ones (second)."""
    one, other = sorted({row["set"] for row in rows})
    head = ["scans", "MAPE %", "bias %", "R2", "within k=1, k=2"]
    first, second = ([f"{which}: scans", *head[1:]] for which in ("one protocol", "random"))
    lines = [_line(["organ", *first, *second]), "|---" * 11 + "|"]
    for organ in dict.fromkeys(row["organ"] for row in rows):
        cells = [_short(organ)]
        for number in (one, other):
            row = next(r for r in rows if r["organ"] == organ and r["set"] == number)
            cells += [
                str(row["scans"]), f"{100 * row['mape']:.1f}", f"{100 * row['bias']:+.1f}",
                "" if organ == ALL_ORGANS else f"{row['r2']:.3f}",
                f"{row['covered_k1']:.2f}, {row['covered_k2']:.2f}",
            ]  # fmt: skip
        lines.append(_line(cells))
    return "\n".join(lines)


def feature_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Largest relative deviation of our features by case and class."""
    lines = [_line(["case", *FEATURES]), "|---" * (1 + len(FEATURES)) + "|"]
    for case in dict.fromkeys(row["case"] for row in rows):
        of = {r["class"]: r["largest_relative_deviation"] for r in rows if r["case"] == case}
        lines.append(_line([case, *(_deviation(of.get(name)) for name in FEATURES)]))
    return "\n".join(lines)


def _models() -> Iterable[tuple[str, str, str]]:
    """Name, title and knowledge of every model, in the order of the page."""
    for model in MODELS:
        yield model.name, model.title, model.knows
        if model.name == CNN_AFTER:
            yield CNN, "50-layer CNN", "images, masks, current"


def _deviation(text: str | None) -> str:
    if text is None:
        return ""
    return "0" if float(text) == 0.0 else text


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(organ: str) -> str:
    if organ == ALL_ORGANS:
        return "all"
    return organ.replace("_gland", "").replace("spinal_", "").replace("_", " ")
