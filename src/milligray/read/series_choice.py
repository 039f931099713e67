"""Which of the images in a folder belong together, and which series is meant."""

from collections import Counter
from dataclasses import dataclass, replace

from milligray.errors import GeometryError, InputError
from milligray.read.dicom_folder import FolderScan
from milligray.read.series_parts import split_repeated
from milligray.read.slice_header import SliceHeader
from milligray.read.slice_orientation import in_plane

MIN_SLICES = 3
_HU_TYPES = ("", "HU", "US", "HU_MOD")
_NOT_A_SCAN = ("SCREEN SAVE", "DOSE_INFO", "DOSE INFO", "DOSEREPORT", "PROTOCOL", "MIP", "VRT",
               "VOLREN", "MAX_IP", "MIN_IP", "PERFUSION")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesGroup:
    """Slices that form one image.

    Parameters
    ----------
    headers : tuple of SliceHeader
    handle : str
        What the user can give to choose it.
    part : str
        What sets it apart from other groups of the same series, e.g. "acquisition 2".
    obstacle : str
        Why it cannot be taken as an axial CT, "" if it can.
    notes : tuple of str
    """

    headers: tuple[SliceHeader, ...]
    handle: str = ""
    part: str = ""
    obstacle: str = ""
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """One line of the list shown to the user."""
        first = self.headers[0]
        parts = [f"{len(self.headers)} slices", f"{first.description or 'no description'!r}"]
        if self.part:
            parts.append(self.part)
        if self.obstacle:
            parts.append(f"not usable: {self.obstacle}")
        return f"  series {self.handle}: " + ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChoice:
    """The slices of the series that is meant, every place once."""

    headers: tuple[SliceHeader, ...]
    notes: tuple[str, ...]


def choose_series(scan: FolderScan, series: str | int | None = None) -> SeriesChoice:
    """Pick one series.

    Parameters
    ----------
    scan : FolderScan
    series : str or int, optional
        SeriesInstanceUID, series number, or part of the description; ``"3#2"`` for the second
        image within series 3. Default: the only axial CT series there is.

    Raises
    ------
    InputError
        If none or several fit (they are listed), or images of several persons are mixed.
    """
    notes = list(scan.notes)
    usable = []
    left_out: Counter[str] = Counter()
    for header in scan.headers:
        reason = _why_not(header)
        if reason:
            left_out[reason] += 1
        else:
            usable.append(header)
    if not usable:
        reasons = ", ".join(f"{n} x {reason}" for reason, n in left_out.items())
        raise InputError(f"no axial CT image in the folder; what is there: {reasons}")
    notes.extend(f"{n} images left out: {reason}" for reason, n in left_out.items())
    groups = _groups(usable)
    candidates = _candidates(groups, scan, series)
    _refuse_two_persons(candidates)
    chosen = _only(candidates, groups, series)
    if chosen.obstacle:
        raise GeometryError(f"series {chosen.handle}: {chosen.obstacle}")
    others = [group for group in groups if group is not chosen]
    if others:
        notes.append(
            f"series {chosen.handle} taken; others in the folder: "
            + "; ".join(group.line.strip() for group in others)
        )
    return SeriesChoice(headers=chosen.headers, notes=(*notes, *chosen.notes))


def _why_not(header: SliceHeader) -> str:
    types = header.image_type
    if "LOCALIZER" in types or "SCOUT" in header.scan.scan_options or "TOPOGRAM" in types:
        return "localizer"
    if any(word in part for part in types for word in _NOT_A_SCAN):
        return "screen capture, projection or report"
    if header.sop_class.startswith("1.2.840.10008.5.1.4.1.1.7"):
        return "secondary capture"
    if header.samples != 1:
        return "color image"
    if header.position_lps_mm is None:
        return "without ImagePositionPatient (0020,0032)"
    if header.orientation is None or header.pixel_spacing_mm is None:
        return "without orientation (0020,0037) or pixel spacing (0028,0030)"
    if header.rescale_type not in _HU_TYPES:
        return f"not in Hounsfield units but {header.rescale_type}"
    if header.rows < 2 or header.columns < 2:
        return "without pixels"
    return ""


def _groups(headers: list[SliceHeader]) -> list[SeriesGroup]:
    together: dict[tuple[object, ...], list[SliceHeader]] = {}
    for header in headers:
        together.setdefault(_key(header), []).append(header)
    groups: list[SeriesGroup] = []
    for members in together.values():
        members.sort(key=lambda h: (h.instance_number, h.path.name))
        groups.extend(
            SeriesGroup(
                headers=part.headers,
                part=part.name,
                obstacle=part.conflict or _reformat(part.headers[0]),
                notes=part.notes,
            )
            for part in split_repeated(tuple(members))
        )
    return _with_handles(groups)


def _key(header: SliceHeader) -> tuple[object, ...]:
    """Equal for slices of one image; with empty UIDs the description has to tell series apart."""
    orientation = tuple(round(v, 2) for v in header.orientation or ())
    spacing = tuple(round(v, 3) for v in header.pixel_spacing_mm or ())
    key = (
        header.person,
        header.series_uid,
        -1 if header.series_number is None else header.series_number,
        header.frame_of_reference,
        header.rows,
        header.columns,
        orientation,
        spacing,
    )
    if header.series_uid:
        return key
    return (*key, header.description, header.phase[3], header.image_type, header.slice_thickness_mm)


def _with_handles(groups: list[SeriesGroup]) -> list[SeriesGroup]:
    names = [_plain_handle(group) for group in groups]
    counts = Counter(names)
    uids = {name: {g.headers[0].series_uid for g, n in zip(groups, names, strict=True) if n == name}
            for name in names}  # fmt: skip
    seen: Counter[str] = Counter()
    named = []
    for group, name in zip(groups, names, strict=True):
        handle = name
        if counts[name] > 1 and len(uids[name]) == counts[name] and "" not in uids[name]:
            handle = group.headers[0].series_uid
        elif counts[name] > 1:
            seen[name] += 1
            handle = f"{name}#{seen[name]}"
        named.append(replace(group, handle=handle))
    return named


def _plain_handle(group: SeriesGroup) -> str:
    first = group.headers[0]
    return str(first.series_number) if first.series_number is not None else first.series_uid or "?"


def _reformat(header: SliceHeader) -> str:
    try:
        in_plane(
            header.orientation or (), header.pixel_spacing_mm or (), header.rows, header.columns
        )
    except GeometryError as error:
        return str(error)
    return ""


def _candidates(
    groups: list[SeriesGroup], scan: FolderScan, series: str | int | None
) -> list[SeriesGroup]:
    if series is not None:
        wanted = str(series).strip()
        for fits in (
            lambda g: wanted == g.handle,
            lambda g: wanted == g.headers[0].series_uid,
            lambda g: wanted == str(g.headers[0].series_number),
            lambda g: wanted.lower() in g.headers[0].description.lower(),
        ):
            found = [group for group in groups if fits(group)]
            if found:
                return found
        raise InputError(f"no CT series fits {wanted!r}; there are:\n{_listing(groups)}")
    if scan.only_file is not None:
        found = [g for g in groups if any(h.path == scan.only_file for h in g.headers)]
        if found:
            return found
        raise InputError(
            f"{scan.only_file.name} is not an axial CT image; series beside it:\n{_listing(groups)}"
        )
    return groups


def _refuse_two_persons(groups: list[SeriesGroup]) -> None:
    persons = {header.person for group in groups for header in group.headers}
    for attribute in zip(*persons, strict=True):
        if len({digest for digest in attribute if digest}) > 1:
            raise InputError(
                "the folder holds images of more than one patient (PatientID, PatientName or"
                " PatientBirthDate differ); separate them, or choose one series:\n"
                f"{_listing(groups)}"
            )


def _only(
    candidates: list[SeriesGroup], groups: list[SeriesGroup], series: str | int | None
) -> SeriesGroup:
    """Return the one candidate that is an axial scan of some length, or raise with the list."""
    remaining = candidates
    remaining = [g for g in remaining if not g.obstacle] or remaining
    remaining = [g for g in remaining if len(g.headers) >= MIN_SLICES] or remaining
    remaining = [g for g in remaining if "DERIVED" not in g.headers[0].image_type] or remaining
    if len(remaining) == 1:
        return remaining[0]
    asked = "" if series is None else f" fit {str(series)!r}"
    raise InputError(
        f"{len(remaining)} CT series{asked or ' are in the folder'}; choose one by its number,"
        f" SeriesInstanceUID or part of its description:\n{_listing(groups)}"
    )


def _listing(groups: list[SeriesGroup]) -> str:
    return "\n".join(group.line for group in groups)
