"""The administration of a radiopharmaceutical, as the header of an image tells it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from milligray.errors import InputError
from milligray.read.activity_facts import ActivityFacts
from milligray.read.dicom_tags import Tags
from milligray.read.dicom_times import clock_of, datetime_of
from milligray.read.radionuclide_code import nuclide_of_code, nuclide_of_text

HIGHEST_ACTIVITY_MBQ = 100_000.0
LOWEST_PET_BQ = 1e5
HIGHEST_PET_MBQ = 2e4
HalfLifeOf = Callable[[str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What was given, how much, and when; None where nothing tells.

    Parameters
    ----------
    nuclide, agent : str or None
    half_life_s : float or None [s]
    activity_mbq : float or None [MBq]
        Net of a residual given by the user.
    start : datetime or None
        With its date.
    clock : time or None
        Time of day only.
    notes : tuple of str
    """

    nuclide: str | None = None
    agent: str | None = None
    half_life_s: float | None = None
    activity_mbq: float | None = None
    start: datetime | None = None
    clock: time | None = None
    notes: tuple[str, ...] = ()


def administration_of(
    tags: Tags, modality: str, facts: ActivityFacts, half_life_of: HalfLifeOf | None = None
) -> Administration:
    """Administration in a PET or NM header, with the facts of the user over it.

    Parameters
    ----------
    tags : Tags
    modality : {"PT", "NM"}
    facts : ActivityFacts
    half_life_of : callable, optional
        Half-life [s] of a nuclide by its name: taken where the header has none, and compared with
        the header's.

    Raises
    ------
    InputError
        If several nuclides were given, the activity cannot be one, or the user names another
        nuclide than the header without its half-life.

    Notes
    -----
    RadionuclideTotalDose is in Bq for PET and in MBq for NM (DICOM PS3.3, C.8.9.2 and C.8.4.10);
    exporters swap the two, which is mended where only one reading is possible: nobody is given
    less than 0.1 MBq or more than 100 GBq.
    """
    items = tags.value("RadiopharmaceuticalInformationSequence") or []
    notes: list[str] = []
    is_given = facts.administered_activity_mbq is not None
    zone = tags.text("TimezoneOffsetFromUTC")
    found = [_item(Tags([item]), modality, notes, zone, is_given=is_given) for item in items]
    nuclides = {one.nuclide for one in found if one.nuclide}
    if len(nuclides) > 1 and facts.nuclide is None:
        raise InputError(
            f"the image holds several nuclides ({', '.join(sorted(nuclides))}); give an image of"
            " one, or say which"
        )
    if len(found) > 1:
        notes.append(f"{len(found)} administrations in the header: activity and time not taken")
        base = replace(found[0], activity_mbq=None, start=None, clock=None)
    else:
        base = found[0] if found else Administration()
    nuclide = base.nuclide
    if facts.nuclide is not None:
        nuclide = nuclide_of_text(facts.nuclide) or facts.nuclide
        if base.nuclide not in (None, nuclide):
            notes.append(f"{facts.origin} says {nuclide}, the header {base.nuclide}: the former")
            base = replace(base, half_life_s=None)
    half_life = facts.half_life_s or base.half_life_s
    if half_life is None and nuclide is not None and half_life_of is not None:
        half_life = half_life_of(nuclide)
        notes.append(f"the header has no half-life: that of {nuclide}, {half_life:g} s, was taken")
    elif half_life_of is not None and nuclide is not None and facts.half_life_s is None:
        _check_half_life(half_life or 0.0, half_life_of(nuclide), nuclide)
    elif half_life and base.half_life_s and abs(half_life / base.half_life_s - 1.0) > 0.002:
        notes.append(f"half-life {half_life:g} s taken; the header says {base.half_life_s:g} s")
    activity = facts.administered_activity_mbq or base.activity_mbq
    if activity and base.activity_mbq and abs(activity / base.activity_mbq - 1.0) > 0.01:
        notes.append(
            f"administered activity {activity:g} MBq of {facts.origin} taken; the header says"
            f" {base.activity_mbq:g} MBq"
        )
    if facts.administration_time is not None and base.start is not None:
        off_min = (facts.administration_time - base.start).total_seconds() / 60.0
        if abs(off_min) > 1.0:
            notes.append(
                f"time of the administration of {facts.origin} taken: {abs(off_min):.1f} min"
                f" {'later' if off_min > 0 else 'earlier'} than in the header"
            )
    if facts.residual_activity_mbq:
        if activity is None or facts.residual_activity_mbq >= activity:
            raise InputError(
                f"the residual activity {facts.residual_activity_mbq:g} MBq needs a larger"
                f" administered activity to be taken from, got {activity}"
            )
        activity -= facts.residual_activity_mbq
        notes.append(f"residual of {facts.residual_activity_mbq:g} MBq taken off: {activity:g} MBq")
    elif activity is not None and modality == "PT":
        notes.append("administered activity taken as net: the header tells no residual in syringe")
    return Administration(
        nuclide=nuclide, agent=base.agent, half_life_s=half_life,
        activity_mbq=activity, start=facts.administration_time or base.start,
        clock=None if facts.administration_time else base.clock, notes=tuple(notes),
    )  # fmt: skip


def _check_half_life(stated_s: float, known_s: float, nuclide: str) -> None:
    """Refuse a half-life in another unit, or of another nuclide."""
    if abs(stated_s / known_s - 1.0) > 0.02:
        raise InputError(
            f"RadionuclideHalfLife (0018,1075) is {stated_s:g} s, that of {nuclide} {known_s:g} s:"
            " the header's is in another unit or of another nuclide; give half_life_s"
        )


def _on_local_clock(start: datetime, clock: time | None, notes: list[str]) -> datetime:
    """Start with an offset from UTC, in a file that does not tell its own zone."""
    if clock is None:
        notes.append(
            "RadiopharmaceuticalStartDateTime has an offset from UTC and the file none: its clock"
            " was taken as the scanner's"
        )
        return start
    days = (timedelta(days=number) for number in (-1, 0, 1))
    local = min(
        (datetime.combine(start.date() + day, clock) for day in days),
        key=lambda moment: abs((moment - start).total_seconds()),
    )
    if abs((local - start).total_seconds()) > 60.0:
        notes.append(
            "RadiopharmaceuticalStartDateTime has an offset from UTC and another clock than"
            " RadiopharmaceuticalStartTime: the latter was taken"
        )
    return local


def _item(
    item: Tags, modality: str, notes: list[str], zone: str, *, is_given: bool
) -> Administration:
    code = item.value("RadionuclideCodeSequence")
    agents = item.value("RadiopharmaceuticalCodeSequence")
    nuclide = nuclide_of_code(Tags([code[0]])) if code else None
    agent = item.text("Radiopharmaceutical")
    if not agent and agents:
        agent = Tags([agents[0]]).text("CodeMeaning")
    stated = item.text("RadiopharmaceuticalStartDateTime")
    start = datetime_of(stated, local_offset=zone)
    clock = clock_of(item.text("RadiopharmaceuticalStartTime"))
    if start is not None and stated[-5:-4] in ("+", "-") and not zone:
        start = _on_local_clock(start, clock, notes)
    return Administration(
        nuclide=nuclide or nuclide_of_text(agent),
        agent=agent or None,
        half_life_s=item.positive("RadionuclideHalfLife"),
        activity_mbq=_activity_mbq(
            item.positive("RadionuclideTotalDose"), modality, notes, is_given=is_given
        ),
        start=start,
        clock=clock,
    )


def _activity_mbq(
    value: float | None, modality: str, notes: list[str], *, is_given: bool
) -> float | None:
    if value is None:
        return None
    as_bq = LOWEST_PET_BQ <= value <= HIGHEST_ACTIVITY_MBQ * 1e6
    as_mbq = 0.1 <= value <= HIGHEST_PET_MBQ
    if modality == "NM":
        if value > HIGHEST_ACTIVITY_MBQ and as_bq:
            notes.append(f"RadionuclideTotalDose {value:g} must be in Bq: {value / 1e6:g} MBq")
            return value / 1e6
        if value <= HIGHEST_ACTIVITY_MBQ:
            return value
    elif as_bq:
        return value / 1e6
    elif as_mbq:
        notes.append(f"RadionuclideTotalDose {value:g} cannot be in Bq: taken as MBq")
        return value
    if is_given:
        return None
    raise InputError(
        f"RadionuclideTotalDose (0018,1074) is {value:g}: neither Bq nor MBq of a patient; give"
        " administered_activity_mbq"
    )
