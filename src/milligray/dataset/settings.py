"""What holds for a whole training set."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from milligray.errors import InputError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSettings:
    """How the samples of a set are made.

    Parameters
    ----------
    kind : str
        See `milligray.dataset.kinds`.
    seed : int
        All else random follows from it and the names of the exams.
    samples_per_patient : int
        Random scans of every exam whose row does not say otherwise.
    protocols : {"drawn", "own"}
        Random protocols, or those of the list.
    protocols_text : str
        The distributions, as their file has them; "" with own protocols.
    split_fractions : (train, validation, test)
        Chances of a patient whose row names no split.
    voxel_precision : float
        Mean relative standard deviation of the voxels of the body in the scanned range to reach
        (kinds with voxel doses).
    margin_mm : float [mm]
        What is stored beyond the beam's range along z (dose maps).
    positions : int
        Source positions of each scan (source positions).
    slab_shape : (depth, lateral, z)
        Voxels of a source position's slab.
    """

    kind: str
    seed: int = 1
    samples_per_patient: int = 1
    protocols: Literal["drawn", "own"] = "drawn"
    protocols_text: str = ""
    split_fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    voxel_precision: float = 0.03
    margin_mm: float = 40.0
    positions: int = 8
    slab_shape: tuple[int, int, int] = (96, 144, 17)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed must be >= 0, got {self.seed}")
        for name in ("samples_per_patient", "positions"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.protocols not in ("drawn", "own"):
            raise InputError(f"protocols must be drawn or own, got {self.protocols!r}")
        if self.protocols == "own" and self.samples_per_patient > 1:
            raise InputError("with its own protocol an exam gives one sample")
        if (self.protocols == "drawn") != bool(self.protocols_text):
            raise InputError("drawn protocols, and only they, need distributions")
        if min(self.split_fractions) < 0 or abs(sum(self.split_fractions) - 1.0) > 1e-6:
            raise InputError(f"split_fractions must add up to 1, got {self.split_fractions}")
        if not 0.001 <= self.voxel_precision <= 0.5:
            raise InputError(
                f"voxel_precision must lie between 0.001 and 0.5, got {self.voxel_precision:g}"
            )
        if not 0 <= self.margin_mm <= 1000:
            raise InputError(f"margin_mm must lie between 0 and 1000, got {self.margin_mm:g}")
        if min(self.slab_shape) < 1:
            raise InputError(f"slab_shape must be three numbers >= 1, got {self.slab_shape}")

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "SetSettings":
        """From the manifest of a set."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in document.items()
            if key in known
        }
        return cls(**values)
