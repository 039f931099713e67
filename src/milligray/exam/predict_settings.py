"""Settings of a prediction: all that a user may choose, with safe defaults."""

from dataclasses import dataclass
from typing import Literal

from milligray.errors import InputError
from milligray.exam.settings import CtSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """How the dose of a CT scan is predicted.

    Parameters
    ----------
    voxel_size_mm : float or None [mm]
        Wanted voxel of the patient model and the dose map; None: the network's own.
    calibration : str
        HU to density and tissue, as in `CtSettings`.
    couch : {"remove", "keep"}
    extend_mm : float [mm]
        Length by which the outermost slices are repeated beyond the image.
    scanner, bowtie : str or None
        None: by the header.
    segmenter : {"threshold", "totalsegmentator"} or None
        Without labels.
    body_region : str or None
        E.g. "head_neck"; None: by the organs that are labelled.
    beyond_validity : bool
        Go on where the network would refuse; the reasons become warnings.
    accept_labels : bool
        Go on with labels that contradict the CT; the result warns of them.
    threads : int
        Of the network.
    """

    voxel_size_mm: float | None = None
    calibration: str = "schneider2000"
    couch: Literal["remove", "keep"] = "remove"
    extend_mm: float = 0.0
    scanner: str | None = None
    bowtie: str | None = None
    segmenter: Literal["threshold", "totalsegmentator"] | None = None
    body_region: str | None = None
    beyond_validity: bool = False
    accept_labels: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if self.voxel_size_mm is not None and not self.voxel_size_mm > 0:
            raise InputError(f"voxel_size_mm must be > 0, got {self.voxel_size_mm:g}")
        if self.couch not in ("remove", "keep"):
            raise InputError(f"couch must be remove or keep, got {self.couch!r}")
        if self.segmenter not in (None, "threshold", "totalsegmentator"):
            raise InputError(
                f"segmenter must be threshold or totalsegmentator, got {self.segmenter!r}"
            )
        if self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")

    @classmethod
    def from_ct_settings(
        cls, settings: CtSettings, *, beyond_validity: bool = False
    ) -> "PredictSettings":
        """What the settings of a Monte Carlo exam say of a prediction too, but its voxel size."""
        return cls(
            calibration=settings.calibration, couch=settings.couch, extend_mm=settings.extend_mm,
            scanner=settings.scanner, bowtie=settings.bowtie, segmenter=settings.segmenter,
            beyond_validity=beyond_validity, accept_labels=settings.accept_labels,
            threads=settings.threads or 1,
        )  # fmt: skip
