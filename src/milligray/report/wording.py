"""Numbers, times and names as a reader wants them."""

import math
from collections.abc import Mapping
from datetime import datetime


def number(value: float | None) -> str:
    """Three significant digits, plain; a dash for what is unknown."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}" if digits <= 5 else f"{value:.2e}"


def percent(value: float | None, unknown: str = "–") -> str:
    """Fraction as per cent with two significant digits."""
    if value is None or not math.isfinite(value):
        return unknown
    share = 100.0 * value
    return f"{share:.0f}\N{NO-BREAK SPACE}%" if share >= 9.95 or share == 0 else _small(share)


def _small(share: float) -> str:
    return f"{share:#.2g}".rstrip(".") + "\N{NO-BREAK SPACE}%"


def plain_name(organ: str) -> str:
    """Organ name for reading: spaces in place of underscores."""
    return organ.replace("_", " ")


def method_label(method: str) -> str:
    """Name of the method for the headline: "monte-carlo:track-length" in words."""
    kind, _, detail = method.partition(":")
    if kind == "monte-carlo":
        return "Monte Carlo" + (f", {detail} estimator" if detail else "")
    return method


def moment(created: object) -> str:
    """ISO 8601 time as "2026-03-01 12:00 UTC"; other text as it is."""
    if not created:
        return ""
    try:
        time = datetime.fromisoformat(str(created))
    except ValueError:
        return str(created)
    zone = time.tzname()
    return time.strftime("%Y-%m-%d %H:%M") + (f" {zone}" if zone else "")


def interval(value: float, relative: float) -> str:
    """Interval ``value (1 +- relative)`` with the digits of `number`, never below 0."""
    if not (math.isfinite(value) and math.isfinite(relative)):
        return "–"
    return f"{number(max(0.0, value * (1 - relative)))} – {number(value * (1 + relative))}"


def count(value: float) -> str:
    """Large number in short: 1.0e8 as 1.0 x 10^8 in typography."""
    if value < 1e5:
        return f"{value:,.0f}".replace(",", " ")
    exponent = math.floor(math.log10(value))
    superscript = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value / 10**exponent:.2g} × 10{superscript}"


def show(value: object) -> str:
    """Any manifest value as text for a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {show(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value)
    return str(value)
