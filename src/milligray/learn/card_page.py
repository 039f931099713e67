"""A card as a page that people read."""

from collections.abc import Mapping, Sequence
from typing import Any

from milligray.learn.card import ArraySpec, ModelCard
from milligray.learn.domain import NOMINAL, InputDomain

_LONGEST_LIST = 12


def card_markdown(card: ModelCard) -> str:
    """Page of a network in Markdown, for ``docs/networks/<name>.md``.

    Parameters
    ----------
    card : ModelCard

    Returns
    -------
    str
        Ends with a line break.
    """
    parts = [
        f"# {card.name}: {card.title}",
        f"System `{card.system}`, version {card.version}, license {card.license}.",
        *[f"> {note}" for note in card.notes],
        "## Validity",
        *_validity(card),
        "## Inputs and outputs",
        *_arrays("Input", card.inputs),
        *_arrays("Output", card.outputs),
    ]
    if card.metrics:
        parts.append("## Results")
        for name, rows in card.metrics.items():
            parts += [f"### {name}", table_markdown(rows)]
    for title, values in (("Data", card.data), ("Training", card.training)):
        if values:
            parts += [f"## {title}", "\n".join(_entries(values))]
    parts += ["## Files", _table(("file", "SHA-256"), sorted(card.files.items()))]
    if card.references:
        parts += ["## References", "\n".join(f"- {one}" for one in card.references)]
    return "\n\n".join(parts) + "\n"


def table_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; columns in the order in which they first occur."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _table(names, [[row.get(name) for name in names] for row in rows])


def _validity(card: ModelCard) -> list[str]:
    limits = card.validity
    rows = [(f"`{fact}`", ", ".join(map(_text, values))) for fact, values in limits.allowed.items()]
    rows += [(f"`{fact}`", f"{low:g} to {high:g}") for fact, (low, high) in limits.ranges.items()]
    found = [_table(("fact", "made for"), rows)] if rows else []
    if limits.limits:
        found.append("\n".join(f"- {one}" for one in limits.limits))
    domains = {"all": card.domain} if card.domain else {}
    named = domains | dict(card.domains)
    if named:
        found.append(
            f"Inputs: the distance of a new input is 1 where {100 * NOMINAL:g} % of inputs that"
            " were held out lie below; beyond, the uncertainty is widened, far beyond no dose is"
            " given."
        )
        found.append(
            _table(
                ("inputs of", "features", "held out", "largest distance held out"),
                [_domain_row(name, one) for name, one in named.items()],
            )
        )
    return found or ["Not stated."]


def _domain_row(name: str, domain: InputDomain) -> tuple[object, ...]:
    return name, len(domain.names), domain.n_held_out, round(domain.quantiles[-1][1], 2)


def _arrays(title: str, specs: Sequence[ArraySpec]) -> list[str]:
    rows = [
        (f"`{one.name}`", " x ".join(map(str, one.shape)), one.unit or "-", one.description)
        for one in specs
    ]
    return [_table((title, "shape", "unit", "description"), rows)]


def _entries(values: Mapping[str, Any], indent: str = "") -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines.append(f"{indent}- {key}:")
            lines += _entries(value, indent + "  ")
        elif isinstance(value, list) and len(value) > _LONGEST_LIST:
            shown = ", ".join(map(_text, value[:_LONGEST_LIST]))
            lines.append(f"{indent}- {key}: {shown}, ... ({len(value)} in all)")
        else:
            lines.append(f"{indent}- {key}: {_text(value)}")
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_text(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value).replace("|", "\\|").replace("\n", " ")
