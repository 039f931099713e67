"""Settings of a nuclear-medicine exam: all that a user may choose, with safe defaults."""

from dataclasses import dataclass
from typing import Literal

from milligray.errors import InputError

Method = Literal["monte-carlo", "msv", "ssv", "local", "mird"]
METHODS: tuple[Method, ...] = ("monte-carlo", "msv", "ssv", "local", "mird")
KINETICS = ("physical", "haenscheid", "prior", "trapezoid", "mono", "fit")
ONE_IMAGE_KINETICS = ("physical", "haenscheid", "prior", "trapezoid")
S_VALUES = ("patient", "reference-male", "reference-female")


@dataclass(frozen=True, slots=True, kw_only=True)
class NmSettings:
    """How the dose of an administered nuclide is computed.

    Parameters
    ----------
    kinetics : {"physical", "haenscheid", "prior", "trapezoid", "mono", "fit"}
        From activity at some times to decays. "fit": a model for every organ, chosen by AICc,
        voxels by one exponential each, scaled to it. There is no default: the choice changes the
        dose.
    nuclide : str or None
        None: what the images say.
    method : {"monte-carlo", "msv", "ssv", "local", "mird"}
    compare : tuple of str
        Further methods, whose organ doses stand beside.
    s_values : {"patient", "reference-male", "reference-female"}
        Whose S-values "mird" takes: computed in this patient, or of a reference person, with
        self-dose scaled to the patient's masses.
    electrons : {"primaries", "all", "local"}
        Which charged particles travel in "monte-carlo".
    start : {"linear-from-zero", "physical-decay", "constant"}
        Activity before the first image.
    effective_half_life_h : float or None [h]
        For "prior".
    half_life_spread : float
        Its relative standard deviation in the population.
    outside_body : {"keep", "drop", "nearest"}
        Activity that the image shows outside the body outline.
    bladder_excretion : tuple of (fraction, biological half-life [h])
        Share of the administered activity that leaves by urine, by phases: asks for a voiding
        model of the bladder's content instead of its images.
    voiding_interval_h, first_voiding_h : float [h]
        The first: default one interval after administration.
    resolution_mm : float or None [mm]
        Full width at half maximum of the activity images, for the budget and the note on partial
        volume; None: 6 mm for PET, 12 mm for SPECT, by judgement.
    calibration_uncertainty : float or None
        Relative, of the activity scale (k = 1); None: 5 % for PET, 8 % for SPECT, by judgement.
    alpha_beta_gy : tuple of (region, Gy)
        Asks for BED and EQD2 of these regions.
    repair_half_life_h : float [h]
    alpha_per_gy : float or None [1/Gy]
        Asks for the EUD too.
    precision : float or None
        Relative standard deviation to reach in every organ of at least 10 mL.
    histories : int or None
        Number of emissions instead of a precision.
    voxel_size_mm, calibration, couch, segmenter, accept_labels, max_seconds, seed, threads
        As for a CT exam.
    dose_rates : bool
        Maps of the dose rate at the time of every image.
    """

    kinetics: str
    nuclide: str | None = None
    method: Method = "monte-carlo"
    compare: tuple[Method, ...] = ()
    s_values: Literal["patient", "reference-male", "reference-female"] = "patient"
    electrons: Literal["primaries", "all", "local"] = "primaries"
    start: Literal["linear-from-zero", "physical-decay", "constant"] = "linear-from-zero"
    effective_half_life_h: float | None = None
    half_life_spread: float = 0.2
    outside_body: Literal["keep", "drop", "nearest"] = "keep"
    bladder_excretion: tuple[tuple[float, float], ...] = ()
    voiding_interval_h: float = 3.5
    first_voiding_h: float | None = None
    resolution_mm: float | None = None
    calibration_uncertainty: float | None = None
    alpha_beta_gy: tuple[tuple[str, float], ...] = ()
    repair_half_life_h: float = 1.5
    alpha_per_gy: float | None = None
    precision: float | None = 0.01
    histories: int | None = None
    voxel_size_mm: float | None = 3.0
    calibration: str = "schneider2000"
    couch: Literal["remove", "keep"] = "remove"
    segmenter: Literal["threshold", "totalsegmentator"] | None = None
    accept_labels: bool = False
    max_seconds: float | None = None
    seed: int = 1
    threads: int | None = None
    dose_rates: bool = True

    def __post_init__(self) -> None:
        for value in (self.method, *self.compare):
            if str(value) == "kernel-network":
                raise InputError(
                    "no kernel network ships yet: choose monte-carlo, msv, ssv, local or mird"
                )
            if value not in METHODS:
                raise InputError(f"method must be one of {', '.join(METHODS)}, got {value!r}")
        if self.kinetics not in KINETICS:
            raise InputError(f"kinetics must be one of {', '.join(KINETICS)}: {self.kinetics!r}")
        if self.electrons not in ("primaries", "all", "local"):
            raise InputError(f"electrons must be primaries, all or local, got {self.electrons!r}")
        if self.s_values not in S_VALUES:
            raise InputError(f"s_values must be {' or '.join(S_VALUES)}, got {self.s_values!r}")
        if self.outside_body not in ("keep", "drop", "nearest"):
            raise InputError(f"outside_body must be keep, drop or nearest: {self.outside_body!r}")
        if (self.precision is None) == (self.histories is None):
            raise InputError("give either a precision or a number of histories")
        if self.precision is not None and not 1e-4 <= self.precision <= 0.5:
            raise InputError(f"precision must lie between 0.0001 and 0.5, got {self.precision:g}")
        if self.histories is not None and self.histories < 1000:
            raise InputError(f"histories must be at least 1000, got {self.histories}")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")
        for name in ("effective_half_life_h", "resolution_mm", "alpha_per_gy"):
            given = getattr(self, name)
            if given is not None and not given > 0:
                raise InputError(f"{name} must be > 0, got {given:g}")
        if self.kinetics == "prior" and self.effective_half_life_h is None:
            raise InputError("kinetics 'prior' needs an effective half-life")
