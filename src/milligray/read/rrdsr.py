"""Read a radiopharmaceutical radiation dose report (DICOM SR, TID 10021)."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pydicom

from milligray.errors import FormatError, InputError
from milligray.read.activity_facts import ActivityFacts
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.dicom_tags import Tags, quiet_pydicom
from milligray.read.dicom_times import datetime_of
from milligray.read.patient_keys import check_same_patient, patient_keys
from milligray.read.radionuclide_code import nuclide_of_code
from milligray.read.structured_report import ReportItem

RRDSR_CLASS = "1.2.840.10008.5.1.4.1.1.88.68"
_REPORT, _ADMINISTRATION = "113500", "113502"
_AGENT = ("F-61FDB", "349358000")
_NUCLIDE = ("C-10072", "89457008")
_HALF_LIFE = ("R-42806", "304283002")
_START, _STOP, _ADMINISTERED, _BEFORE, _AFTER = "123003", "123004", "113507", "113508", "113509"
_ORGAN, _ORGAN_DOSE, _EFFECTIVE = "113517", "113518", "113839"
_SITE = ("G-C0E3", "363698007")
_SIDE = ("G-C171", "272741003")
_AUTHORITY = ("121406", "121405")
_ROUTE = ("G-C340", "410675002")
_WEIGHT = ("29463-7", "27113001")
_HEIGHT = ("8302-2", "50373000", "1153637007")
_MBQ = {"MBq": 1.0, "kBq": 1e-3, "Bq": 1e-6, "GBq": 1e3, "mCi": 37.0, "uCi": 0.037}
_MILLI = {"mGy": 1.0, "Gy": 1e3, "uGy": 1e-3, "cGy": 10.0, "mSv": 1.0, "Sv": 1e3, "uSv": 1e-3}
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_KG, _METER = {"kg": 1.0, "g": 1e-3}, {"m": 1.0, "cm": 0.01}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOrganDose:
    """An organ dose as the report states it, for comparison."""

    organ: str
    side: str
    dose_mgy: float
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiopharmaceuticalReport:
    """One administration and what the report says of its doses.

    Parameters
    ----------
    nuclide, agent, route : str
        "" where the report is silent.
    half_life_s : float or None [s]
    administered_activity_mbq : float [MBq]
    measured_before_mbq, measured_after_mbq : float or None [MBq]
        In the syringe, each at its own time.
    start, stop : datetime or None
    organ_doses : tuple of StatedOrganDose
    effective_dose_msv : float or None [mSv]
    effective_dose_authority : str
    patient : PatientKeys
        With weight and height of the report.
    notes : tuple of str
    """

    nuclide: str
    agent: str
    route: str
    half_life_s: float | None
    administered_activity_mbq: float
    measured_before_mbq: float | None
    measured_after_mbq: float | None
    start: datetime | None
    stop: datetime | None
    organ_doses: tuple[StatedOrganDose, ...]
    effective_dose_msv: float | None
    effective_dose_authority: str
    patient: PatientKeys
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> ActivityFacts:
        """What the report tells of an image of this administration."""
        return ActivityFacts(
            nuclide=self.nuclide or None,
            half_life_s=self.half_life_s,
            administered_activity_mbq=self.administered_activity_mbq,
            administration_time=self.start,
            weight_kg=self.patient.weight_kg,
            origin="the radiopharmaceutical dose report",
        )


def read_rrdsr(path: str | Path) -> RadiopharmaceuticalReport:
    """Read a radiopharmaceutical radiation dose report of one administration.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    InputError
        If the file is another report, tells no administered activity, or several administrations.
    FormatError
        If it is no DICOM file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"report {path} does not exist")
    with quiet_pydicom():
        try:
            root = ReportItem(Tags([pydicom.dcmread(path, force=True)]))
            is_report = root.code == _REPORT
            kind = root.meaning or root.tags.text("Modality") or "no DICOM report"
            report = _report(root, path.name) if is_report else None
        except InputError:
            raise
        except Exception as error:
            raise FormatError(
                f"{path.name} is a damaged or truncated DICOM file; copy it again from the archive"
            ) from error
    if report is None:
        raise InputError(
            f"{path.name} is no radiopharmaceutical radiation dose report, but: {kind}"
        )
    return report


def check_report(image: ActivityImage, report: RadiopharmaceuticalReport) -> tuple[str, ...]:
    """Compare an image with the report of its administration.

    Returns
    -------
    tuple of str
        Notes on what differs: activity by more than 1 %, start by more than a minute.

    Raises
    ------
    InputError
        If they are of different patients or nuclides.
    """
    notes = list(check_same_patient(image.patient, report.patient, names=("image", "dose report")))
    if image.nuclide and report.nuclide and image.nuclide != report.nuclide:
        raise InputError(
            f"the image is of {image.nuclide}, the dose report of {report.nuclide}: give the report"
            " of this examination"
        )
    given, stated = image.administered_activity_mbq, report.administered_activity_mbq
    if given and abs(given / stated - 1.0) > 0.01:
        notes.append(f"administered activity: image {given:g} MBq, dose report {stated:g} MBq")
    if image.administration_time and report.start:
        off_s = (report.start - image.administration_time).total_seconds()
        if abs(off_s) > 60.0:
            notes.append(
                f"start of the administration: the dose report's is {abs(off_s) / 60.0:.1f} min"
                f" {'later' if off_s > 0 else 'earlier'} than the image's"
            )
    return tuple(notes)


def _report(root: ReportItem, name: str) -> RadiopharmaceuticalReport:
    events = [item for item in root.children if item.code == _ADMINISTRATION]
    if len(events) != 1:
        raise InputError(
            f"{name} tells of {len(events)} administrations; a report of one is needed"
        )
    event = events[0]
    notes: list[str] = []
    before = _value(event.child(_BEFORE), _MBQ, name)
    after = _value(event.child(_AFTER), _MBQ, name)
    administered = _value(event.child(_ADMINISTERED), _MBQ, name)
    if administered is None:
        if before is None:
            raise InputError(f"{name} tells no administered activity (113507)")
        administered = before - (after or 0.0)
        notes.append("administered activity taken as before minus after, decay between neglected")
    if not administered > 0:
        raise InputError(f"{name}: the administered activity is {administered:g} MBq")
    if administered < 1.0 or administered > 1e5:
        notes.append(f"the administered activity of {administered:g} MBq is unusual: check it")
    agent = event.child(*_AGENT)
    coded = None if agent is None else agent.coded_value
    nuclide_item = None if agent is None else agent.child(*_NUCLIDE)
    nuclide_code = None if nuclide_item is None else nuclide_item.coded_value
    effective, authority = _effective(event, name)
    route = event.child(*_ROUTE)
    route_code = None if route is None else route.coded_value
    start, stop = event.child(_START), event.child(_STOP)
    return RadiopharmaceuticalReport(
        nuclide=(nuclide_of_code(nuclide_code) or "") if nuclide_code else "",
        agent=coded.text("CodeMeaning") if coded else "",
        route=route_code.text("CodeMeaning") if route_code else "",
        half_life_s=None if agent is None else _value(agent.child(*_HALF_LIFE), _SECONDS, name),
        administered_activity_mbq=administered,
        measured_before_mbq=before,
        measured_after_mbq=after,
        start=None if start is None else datetime_of(start.text),
        stop=None if stop is None else datetime_of(stop.text),
        organ_doses=tuple(_organs(event, name)),
        effective_dose_msv=effective,
        effective_dose_authority=authority,
        patient=_patient(root, name),
        notes=tuple(notes),
    )


def _organs(event: ReportItem, name: str) -> list[StatedOrganDose]:
    found = []
    for item in event.children:
        if item.code != _ORGAN:
            continue
        dose = item.child(_ORGAN_DOSE)
        value = _value(dose, _MILLI, name)
        site, side = item.child(*_SITE), item.child(*_SIDE)
        if dose is None or value is None or site is None or site.coded_value is None:
            continue
        side_code = None if side is None else side.coded_value
        found.append(
            StatedOrganDose(
                organ=site.coded_value.text("CodeMeaning"),
                side=side_code.text("CodeMeaning") if side_code else "",
                dose_mgy=value,
                authority=_authority(dose),
            )
        )
    return found


def _effective(event: ReportItem, name: str) -> tuple[float | None, str]:
    """Effective dose: in the administration itself, or in a container of the vendor's."""
    for item in [event, *event.children]:
        dose = item.child(_EFFECTIVE)
        if dose is not None:
            return _value(dose, _MILLI, name), _authority(dose)
    return None, ""


def _authority(dose: ReportItem) -> str:
    item = dose.child(*_AUTHORITY)
    if item is None:
        return ""
    coded = item.coded_value
    return item.text or (coded.text("CodeMeaning") if coded else "")


def _patient(root: ReportItem, name: str) -> PatientKeys:
    keys = patient_keys(root.tags)
    container = root.child("121118")
    if container is None:
        return keys
    weight = _value(container.child(*_WEIGHT), _KG, name)
    height = _value(container.child(*_HEIGHT), _METER, name)
    return replace(keys, weight_kg=weight or keys.weight_kg, height_m=height or keys.height_m)


def _value(item: ReportItem | None, units: dict[str, float], name: str) -> float | None:
    if item is None or item.number is None:
        return None
    value, unit = item.number
    if unit not in units:
        raise InputError(
            f"{name}: {item.meaning} is in {unit or 'no unit'}; known: {', '.join(units)}"
        )
    return value * units[unit]
