"""The uncertainty budget of a CT organ dose, combined by the GUM."""

import math
from collections.abc import Iterable
from typing import Literal

from milligray.errors import InputError
from milligray.read.series import CtProtocol
from milligray.score.dose import BudgetEntry
from milligray.source.scanner import Scanner

STATISTICS = "Monte Carlo statistics of the organ"
NETWORK = "Network: "
"""Components that begin so, and `STATISTICS`, are an organ's own."""
COVERAGE_FACTOR = 2.0

CTDI_TOLERANCE = 0.20
"""IEC 60601-2-44: the displayed CTDIvol may differ from the measured one by this much."""

Modulation = Literal["none", "longitudinal", "angular-unknown", "angular-modelled"]

MISSING_SCATTER = ((100.0, 0.30), (200.0, 0.10), (float("inf"), 0.03))
"""Image length below [mm]: relative uncertainty (k = 1) for scatter from tissue not imaged."""


def combine(entries: Iterable[BudgetEntry]) -> float:
    """Return the combined relative standard uncertainty (k = 1) of uncorrelated components.

    Parameters
    ----------
    entries : iterable of BudgetEntry

    Returns
    -------
    float

    Notes
    -----
    ``u = sqrt(sum_i u_i**2)`` (GUM, JCGM 100:2008, 5.1.2): the dose is a product of the factors,
    each of which enters with the sensitivity 1. Components known to be correlated must be added
    to one entry before.

    Examples
    --------
    >>> a = BudgetEntry(component="a", relative_uncertainty=0.03, kind="A", basis="")
    >>> b = BudgetEntry(component="b", relative_uncertainty=0.04, kind="B", basis="")
    >>> round(combine((a, b)), 12)
    0.05
    """
    return math.sqrt(sum(entry.relative_uncertainty**2 for entry in entries))


def organ_budget(statistics: float, entries: Iterable[BudgetEntry]) -> tuple[BudgetEntry, ...]:
    """Return the exam's budget with the statistics of one organ in place of the exam's.

    Parameters
    ----------
    statistics : float
        Relative standard deviation of the organ dose: from batches, or of a network's prediction.
    entries : iterable of BudgetEntry
    """
    given = tuple(entries)
    name, basis = STATISTICS, "standard deviation of the organ sum over batches"
    if any(entry.component.startswith(NETWORK) for entry in given):
        name, basis = f"{NETWORK}prediction of the organ", "total of the network for this organ"
    own = _entry(name, statistics, "A", basis)
    return (own, *(e for e in given if not e.component.startswith((STATISTICS, NETWORK))))


def ct_budget(
    protocol: CtProtocol,
    scanner: Scanner,
    segmentation_method: str,
    *,
    statistics: float,
    ctdi_statistics: float,
    scanner_model: float | None = None,
    ctdi_vol: float | None = None,
    ctdi_vol_basis: str = "measured by the user",
    density: float = 0.02,
    modulation: Modulation | None = None,
    cut_image_mm: float | None = None,
    removed_mass_fraction: float = 0.0,
) -> tuple[BudgetEntry, ...]:
    """Budget of a fully irradiated organ of one CT exam.

    Parameters
    ----------
    protocol : CtProtocol
    scanner : Scanner
    segmentation_method : str
        `OrganMap.method`.
    statistics : float
        Largest relative standard deviation of the organs (the report puts in each organ's own).
    ctdi_statistics : float
        Relative standard deviation of the simulated CTDI.
    scanner_model : float, optional
        Spectrum, bowtie and geometry (k = 1). Default: the scanner's own figure; if it has none,
        0.05, or 0.10 for a generic scanner.
    ctdi_vol : float, optional
        Own knowledge of the display's error (k = 1), e.g. from a measurement of this scanner.
        Default: the tolerance of the standard.
    ctdi_vol_basis : str
        Where `ctdi_vol` comes from; used only with it.
    density : float
        HU to density and tissue (k = 1).
    modulation : str, optional
        What is known of the tube-current modulation. Default: "none" if the current is constant
        along z, "angular-unknown" if it is not.

    cut_image_mm : float, optional [mm]
        Length of the image if it ends inside the patient with nothing beyond; None if it does
        not, or if tissue beyond was made by repeating the end slices.
    removed_mass_fraction : float
        Matter outside the body (couch, blankets) that was taken away / mass of the patient.

    Returns
    -------
    tuple of BudgetEntry
        Every line says on what it rests; "judgement" marks figures that no measurement supports.

    Notes
    -----
    Holds for organs wholly inside the scanned range. Organs at its edge depend on the true start
    and end of the irradiation: 4 cm of assumed extra length changed organ doses by up to 137 %
    (Muryn et al. 2017), which no quadrature of small terms can cover.

    References
    ----------
    JCGM 100:2008 (GUM); IEC 60601-2-44;
    Muryn et al., "Analysis of uncertainties in Monte Carlo simulated organ and effective dose in
    chest CT: scanner- and scan-related factors", Phys. Med. Biol. 62 (2017) 3175;
    Zhang et al., Med. Phys. 36 (2009) 5654, doi 10.1118/1.3259773;
    Verfaillie et al., Phys. Eng. Sci. Med. (2024), doi 10.1007/s13246-024-01422-z;
    "The reliability of radiation dose display of a computed tomography scanner",
    Eur. J. Radiol. Open (2021)
    """
    if modulation is None:
        spread = float(protocol.relative_current.max() - protocol.relative_current.min())
        modulation = "none" if spread < 1e-4 else "angular-unknown"
    return (
        _entry(
            STATISTICS,
            statistics,
            "A",
            "standard deviation over batches; each organ's own is in the organ table",
        ),
        _entry("Simulation of the CTDI phantom", ctdi_statistics, "A", "statistics over batches"),
        _output_entry(protocol, ctdi_vol, ctdi_vol_basis),
        _scanner_entry(scanner, scanner_model),
        _entry(
            "HU to density and tissue",
            density,
            "B",
            "judgement: a density wrong by 2-3 % changes attenuation and mass together and largely"
            " cancels in soft tissue; bone, lung edges and contrast medium are less certain",
        ),
        _segmentation_entry(segmentation_method),
        _modulation_entry(modulation),
        _start_angle_entry(protocol),
        _scatter_entry(cut_image_mm),
        _couch_entry(removed_mass_fraction),
    )


def _output_entry(protocol: CtProtocol, given: float | None, basis: str) -> BudgetEntry:
    if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
        return _entry(
            "Tube output per mAs",
            0.20 if given is None else given,
            "B",
            "judgement: no CTDIvol; output of the tube model for the nominal kV and filtration"
            if given is None
            else basis,
        )
    if given is not None:
        return _entry("CTDIvol of this exam", given, "B", basis)
    return _entry(
        "CTDIvol of this exam",
        CTDI_TOLERANCE / math.sqrt(6.0),
        "B",
        "displayed value; IEC 60601-2-44 allows ±20 %, taken as a triangular distribution (GUM"
        " 4.3.9). One scanner over 12 years: mean −7.5 %, range +4.7 to −17.3 % (Eur. J. Radiol."
        " Open 2021). A measurement of the scanner replaces this line",
    )


def _scanner_entry(scanner: Scanner, given: float | None) -> BudgetEntry:
    if scanner.is_generic:
        value, basis = (
            0.10,
            (
                "judgement: generic scanner. Half-value layer wrong by 1 mm Al changes organ dose"
                " per CTDIvol by 14 % at most, aluminum bowtie wrong by 5 mm changes dose by"
                " up to 14 % (Muryn et al. 2017)"
            ),
        )
    else:
        value, basis = (
            0.05,
            (
                "judgement: published half-value layer and bowtie of this model, about 0.35 mm Al"
                " (scaled from 14 % per 1 mm Al, Muryn et al. 2017)"
            ),
        )
    own = scanner.model_relative_uncertainty
    if own > 0 and given in (None, own):
        stated = [s for s in scanner.sources if s.startswith("uncertainty:")]
        reason = stated[0].partition(":")[2].strip() if stated else "stated with the scanner's data"
        value, basis = own, f"{scanner.label}: {reason}"
    elif given is not None:
        value, basis = given, "given by the user"
    return _entry("Scanner model (spectrum, bowtie, beam width)", value, "B", basis)


def _scatter_entry(cut_image_mm: float | None) -> BudgetEntry:
    if cut_image_mm is None:
        value, basis = 0.01, "judgement: tissue beyond the image was continued, or there is none"
    else:
        value = next(u for limit, u in MISSING_SCATTER if cut_image_mm < limit)
        basis = (
            f"the image of {cut_image_mm:.0f} mm ends inside the patient: scatter from beyond is"
            " missing, so doses are too low. Continuing the end slices raised organ doses by 0-5 %"
            " (median; at an end 23 %) in head-and-neck scans of 16-37 cm, and by 20-56 % in a scan"
            " of 4 cm (docs/validation/plausibility.md)"
        )
    return _entry("Scatter from outside the image", value, "B", basis)


def _couch_entry(removed_mass_fraction: float) -> BudgetEntry:
    return _entry(
        "Couch and blankets removed",
        removed_mass_fraction,
        "B",
        f"matter outside the body of {100 * removed_mass_fraction:.1f} % of the patient's mass was"
        " taken away; it shields the patient, so doses are too high. Judgement: the same share of"
        " the dose (one case: 11 % of the mass; liver 11, spleen 23, back muscle 45 % too high)",
    )


def _segmentation_entry(method: str) -> BudgetEntry:
    name = method.lower()
    if "threshold" in name:
        value, basis = 0.05, "judgement: threshold tissue classes, not organs"
    elif "phantom" in name:
        value, basis = 0.0, "organs of a phantom are exact by definition"
    elif "totalsegmentator" in name or "network" in name:
        value, basis = (
            0.02,
            (
                "automatic contours against experts' changed organ dose by less than 2 % for most"
                " of six organs (published comparison, 41 cases); small organs more"
            ),
        )
    else:
        value, basis = 0.02, "judgement: given labels; dose varies slowly over a few mm of contour"
    return _entry("Segmentation", value, "B", f"{basis} (method: {method})")


def _modulation_entry(modulation: Modulation) -> BudgetEntry:
    value, basis = {
        "none": (0.0, "current is constant along the scan; no angular modulation assumed"),
        "longitudinal": (0.0, "modulated along z only; taken from the slices"),
        "angular-modelled": (0.01, "judgement: angular modulation known and modelled"),
        "angular-unknown": (
            0.03,
            (
                "judgement: headers give the mean current per slice, not per angle; less lateral"
                " than frontal current shifts dose between depths and sides (organ-based modulation"
                " of the front more: up to 40 % at the anterior surface)"
            ),
        ),
    }[modulation]
    return _entry("Angular tube-current modulation", value, "B", basis)


def _start_angle_entry(protocol: CtProtocol) -> BudgetEntry:
    if protocol.start_angle_rad is not None:
        value, basis = 0.0, "start angle known and modelled"
    elif protocol.scan_mode == "axial":
        value, basis = 0.0, "full rotations: no influence"
    else:
        value = 0.01 if protocol.pitch <= 1.0 else 0.03
        basis = (
            f"judgement for organs longer than the table feed, at pitch {protocol.pitch:g};"
            " averaged over the unknown angle. Small organs near the skin (lens, thyroid, breast,"
            " testes) differ far more with the angle (Zhang et al. 2009; up to 66 %, Muryn et al."
            " 2017)"
        )
    return _entry("Unknown start angle", value, "B", basis)


def _entry(component: str, value: float, kind: Literal["A", "B"], basis: str) -> BudgetEntry:
    if not (math.isfinite(value) and value >= 0.0):
        raise InputError(f"relative uncertainty of {component!r} must be >= 0, got {value}")
    return BudgetEntry(component=component, relative_uncertainty=value, kind=kind, basis=basis)
