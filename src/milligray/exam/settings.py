"""Settings of an exam: all that a user may choose, with safe defaults."""

from dataclasses import dataclass
from typing import Literal

from milligray.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class CtSettings:
    """How the dose of a CT scan is computed.

    Parameters
    ----------
    precision : float or None
        Relative standard deviation to reach in every organ of at least 10 mL.
    histories : int or None
        Number of photons instead of a precision.
    voxel_size_mm : float or None [mm]
        Wanted transport voxel; None: the CT's own grid.
    calibration : str
        HU to density and tissue: ``"schneider2000"``, or a CSV or TOML file of the facility's own
        (HU, density) pairs.
    couch : {"remove", "keep"}
    extend_mm : float [mm]
        Length by which the outermost slices are repeated as scatterer beyond the image.
    scanner : str or None
        Name in the library, or path of a TOML file; None: matched from the header.
    bowtie : str or None
    segmenter : {"threshold", "totalsegmentator"} or None
        Without labels. None: TotalSegmentator where it is installed, else threshold tissues.
    per_100_mas : bool
        Without CTDIvol: doses per 100 mAs (effective) from the tube model, instead of refusing.
    max_seconds : float or None
        Stop the transport there even if the precision is not met.
    seed : int
    threads : int or None
        None: all processors.
    device : {"cpu", "cuda", "auto"}
        ``"auto"`` takes a GPU where one works.
    accept_labels : bool
        Go on with labels that contradict the CT; the result warns of them.
    """

    precision: float | None = 0.01
    histories: int | None = None
    voxel_size_mm: float | None = 3.0
    calibration: str = "schneider2000"
    couch: Literal["remove", "keep"] = "remove"
    extend_mm: float = 0.0
    scanner: str | None = None
    bowtie: str | None = None
    segmenter: Literal["threshold", "totalsegmentator"] | None = None
    per_100_mas: bool = False
    max_seconds: float | None = None
    seed: int = 1
    threads: int | None = None
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    accept_labels: bool = False

    def __post_init__(self) -> None:
        if (self.precision is None) == (self.histories is None):
            raise InputError("give either a precision or a number of histories")
        if self.precision is not None and not 1e-4 <= self.precision <= 0.5:
            raise InputError(f"precision must lie between 0.0001 and 0.5, got {self.precision:g}")
        if self.histories is not None and self.histories < 1000:
            raise InputError(f"histories must be at least 1000, got {self.histories}")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")
        if self.device not in ("cpu", "cuda", "auto"):
            raise InputError(f"device must be auto, cpu or cuda, got {self.device!r}")
        if self.seed < 0:
            raise InputError(f"seed must be >= 0, got {self.seed}")
