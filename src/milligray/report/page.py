"""Templates of the report pages."""

# ruff: noqa: PLC0415 - jinja2 is loaded only when a report is written

from collections.abc import Mapping
from typing import Any


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of this package; text is escaped, a missing name is an error.

    Parameters
    ----------
    template : str
        File name in ``report/templates``.
    context : mapping
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("milligray.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**context)
