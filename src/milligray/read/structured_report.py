"""Walk through the content tree of a DICOM structured report."""

from collections.abc import Iterator
from dataclasses import dataclass

from milligray.read.dicom_tags import Tags


@dataclass(frozen=True, slots=True)
class ReportItem:
    """One content item of a report.

    Parameters
    ----------
    tags : Tags
        The item's attributes.
    """

    tags: Tags

    @property
    def code(self) -> str:
        """Code value of the item's concept name."""
        return _code(self.tags, "ConceptNameCodeSequence")[0]

    @property
    def meaning(self) -> str:
        """Meaning of the item's concept name."""
        return _code(self.tags, "ConceptNameCodeSequence")[1]

    @property
    def children(self) -> Iterator["ReportItem"]:
        """Content items below this one."""
        for dataset in self.tags.value("ContentSequence") or []:
            yield ReportItem(Tags([dataset]))

    def child(self, *codes: str) -> "ReportItem | None":
        """First child with one of the codes, None if there is none."""
        return next((item for item in self.children if item.code in codes), None)

    @property
    def coded_value(self) -> Tags | None:
        """Item of the code that is the value."""
        found = self.tags.value("ConceptCodeSequence")
        return Tags([found[0]]) if found else None

    @property
    def number(self) -> tuple[float, str] | None:
        """Numeric value and its UCUM unit."""
        measured = self.tags.value("MeasuredValueSequence")
        if not measured:
            return None
        item = Tags([measured[0]])
        value = item.number("NumericValue")
        unit = _code(item, "MeasurementUnitsCodeSequence")[0]
        return None if value is None else (value, unit)

    @property
    def text(self) -> str:
        """Text, date-time or UID value."""
        return self.tags.text("TextValue") or self.tags.text("DateTime") or self.tags.text("UID")


def _code(tags: Tags, name: str) -> tuple[str, str]:
    found = tags.value(name)
    if not found:
        return "", ""
    item = Tags([found[0]])
    value = item.text("CodeValue") or item.text("LongCodeValue")
    return value, item.text("CodeMeaning")
