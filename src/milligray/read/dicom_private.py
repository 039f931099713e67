"""Scan parameters that vendors keep in private attributes."""

from dataclasses import dataclass

from milligray.read.dicom_tags import Tags

_CREATORS = {0x0019: ("GEMS_ACQU_01", "SIEMENS CT VA0  COAD"), 0x0043: ("GEMS_PARM_01",),
             0x0045: ("GEMS_HELIOS_01",), 0x01F1: ("ELSCINT1",),
             0x7005: ("TOSHIBA_MEC_CT3",)}  # fmt: skip
_ELEMENTS = {0x0019: (0x23, 0x27, 0xB0), 0x0043: (0x27,), 0x0045: (0x01, 0x02),
             0x01F1: (0x26, 0x27), 0x7005: (0x23,)}  # fmt: skip
_BLOCK = 0x10

PRIVATE_TAGS = tuple(
    (group, element)
    for group, elements in _ELEMENTS.items()
    for element in (_BLOCK, *((_BLOCK << 8) + low for low in elements))
)
"""The private part of the allow-list: creators and the few values that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateScan:
    """Pitch, rotation time, table feed and collimation from private attributes, None if absent."""

    pitch: float | None = None
    rotation_time_s: float | None = None
    table_feed_mm: float | None = None
    collimation_mm: float | None = None


def private_scan(tags: Tags) -> PrivateScan:
    """Read the private attributes of GE, Siemens, Philips and Canon/Toshiba scanners.

    Notes
    -----
    GE: (0019,xx23) feed per rotation, (0019,xx27) rotation time (seconds in practice, though its
    dictionary says ms), (0043,xx27) "ratio:1", (0045,xx01) rows x (0045,xx02) row width.
    Siemens: (0019,xxB0) feed per rotation. Philips: (01F1,xx26), (01F1,xx27). Canon: (7005,xx23).
    Values outside what any scanner does are taken as absent: some archives damage private fields.
    """
    creators = {group: tags.text((group, _BLOCK)) for group in _CREATORS}

    def number(group: int, creator: str, low: int) -> float | None:
        if " ".join(creators[group].split()) != " ".join(creator.split()):
            return None
        return tags.positive((group, (_BLOCK << 8) + low))

    pitch = number(0x01F1, "ELSCINT1", 0x26) or number(0x7005, "TOSHIBA_MEC_CT3", 0x23)
    if creators[0x0043] == "GEMS_PARM_01":
        pitch = _ratio(tags.text((0x0043, 0x1027)))
    rotation_s = number(0x01F1, "ELSCINT1", 0x27)
    ge_rotation = number(0x0019, "GEMS_ACQU_01", 0x27)
    if ge_rotation is not None:
        rotation_s = ge_rotation / 1000.0 if ge_rotation > 20.0 else ge_rotation
    feed = number(0x0019, "GEMS_ACQU_01", 0x23) or number(0x0019, "SIEMENS CT VA0  COAD", 0xB0)
    rows = number(0x0045, "GEMS_HELIOS_01", 0x01)
    row_width = number(0x0045, "GEMS_HELIOS_01", 0x02)
    collimation = rows * row_width if rows and row_width else None
    return PrivateScan(
        pitch=_within(pitch, 0.02, 4.0),
        rotation_time_s=_within(rotation_s, 0.1, 10.0),
        table_feed_mm=_within(feed, 0.1, 400.0),
        collimation_mm=_within(collimation, 0.4, 200.0),
    )


def _ratio(text: str) -> float | None:
    """Pitch from GE's "0.984:1"."""
    head, _, tail = text.partition(":")
    try:
        return float(head) / float(tail or 1.0)
    except (ValueError, ZeroDivisionError):
        return None


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None
