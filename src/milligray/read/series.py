"""The nouns that `read` hands on: a CT series, its protocol, a label map."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray
from milligray.volume import Volume

PatientPosition = Literal["HFS", "HFP", "HFDL", "HFDR", "FFS", "FFP", "FFDL", "FFDR"]
ScanMode = Literal["helical", "axial"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtSeries:
    """A CT volume in Hounsfield units on an axis-aligned grid.

    Parameters
    ----------
    volume : Volume, float32 or int16 [HU]
        k runs to superior, j to posterior, i to left, whatever the order in the files was.
    slice_thickness_mm : float
        Reconstructed width of one slice (may differ from the spacing).
    input_sha256 : str
        Hash over the pixel data and geometry, for the manifest; "" for arrays of one's own.
    notes : tuple of str
        What the reader assumed, mended or left out, in words for the report.
    """

    volume: Volume
    slice_thickness_mm: float
    input_sha256: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtProtocol:
    """How the scan was made: everything that the dose depends on and the image does not show.

    Parameters
    ----------
    tube_voltage_kv : float
    slice_position_mm : ndarray, shape (n,) [mm]
        z (LPS, superior positive) of the slices, ascending.
    relative_current : ndarray, shape (n,)
        Tube current (or effective mAs) at those positions divided by its mean over them.
    scan_mode : {"helical", "axial"}
    pitch : float
        Table feed per rotation / collimation; for axial scans feed / collimation.
    collimation_mm : float
        Total nominal beam width at the isocenter.
    ctdi_vol_mgy : float or None
        Mean over the slices. None: nothing was given, so no absolute dose can be made.
    phantom_diameter_mm : {160, 320} or None
        CTDI phantom to which `ctdi_vol_mgy` refers.
    effective_mas : float or None [mAs]
        Mean of current x rotation time / pitch.
    scan_start_mm, scan_end_mm : float or None [mm]
        First and last z that was irradiated, nominal, without over-ranging; None: the image's
        range.
    isocenter_lps_mm : tuple of float or None
        (x, y) of the axis of rotation [mm]; None: the source places it (and says so).
    start_angle_rad : float or None
        Tube angle at `scan_start_mm`; None: unknown, averaged over.
    patient_position : str
    manufacturer, model : str
        As in the header, "" if unknown; used to find the scanner.
    filter_type : str
        Header's name of the shaped filter, "" if unknown ("HEAD FILTER", "BODY FILTER", "FLAT").
    body_region : {"head", "body"} or None
        Which bowtie to take when `filter_type` does not tell.
    scanner : str or None
        Name in the scanner library if the user named one.
    origin : {"dicom", "file"}
        From where the protocol was read.
    notes : tuple of str
        What was assumed, computed or missing.
    """

    tube_voltage_kv: float
    slice_position_mm: FloatArray
    relative_current: FloatArray
    scan_mode: ScanMode
    pitch: float
    collimation_mm: float
    ctdi_vol_mgy: float | None
    phantom_diameter_mm: int | None
    effective_mas: float | None = None
    tube_current_ma: float | None = None
    rotation_time_s: float | None = None
    slice_thickness_mm: float | None = None
    scan_start_mm: float | None = None
    scan_end_mm: float | None = None
    isocenter_lps_mm: tuple[float, float] | None = None
    start_angle_rad: float | None = None
    patient_position: PatientPosition = "HFS"
    manufacturer: str = ""
    model: str = ""
    filter_type: str = ""
    body_region: Literal["head", "body"] | None = None
    scanner: str | None = None
    origin: Literal["dicom", "file"] = "file"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 60.0 <= self.tube_voltage_kv <= 150.0:
            raise InputError(
                f"tube voltage {self.tube_voltage_kv:g} kV is outside 60-150 kV, where the X-ray"
                " source is valid; check KVP (0018,0060) or tube_voltage_kv in the protocol file"
            )
        for name in ("pitch", "collimation_mm"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be > 0, got {getattr(self, name)}")
        if self.ctdi_vol_mgy is not None and not self.ctdi_vol_mgy > 0:
            raise InputError(f"ctdi_vol_mgy must be > 0, got {self.ctdi_vol_mgy}")
        if self.phantom_diameter_mm not in (None, 160, 320):
            raise InputError(
                f"phantom_diameter_mm must be 160 or 320, got {self.phantom_diameter_mm}"
            )
        z = np.array(self.slice_position_mm, dtype=np.float64)
        current = np.array(self.relative_current, dtype=np.float64)
        if z.ndim != 1 or z.size < 1 or z.shape != current.shape:
            raise InputError("slice_position_mm and relative_current must be equally long vectors")
        if np.any(np.diff(z) <= 0):
            raise InputError("slice_position_mm must ascend")
        if np.any(current < 0) or not np.all(np.isfinite(current)) or current.sum() <= 0:
            raise InputError("relative_current must be >= 0 with a positive sum")
        for array in (z, current):
            array.setflags(write=False)
        object.__setattr__(self, "slice_position_mm", z)
        object.__setattr__(self, "relative_current", current)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelMap:
    """Organ labels as they were given, on their own grid.

    Parameters
    ----------
    volume : Volume, uint16
        0 is background.
    names : dict of int to str
        Name of every label that occurs.
    input_sha256 : str
    notes : tuple of str
    """

    volume: Volume
    names: dict[int, str]
    input_sha256: str = ""
    notes: tuple[str, ...] = ()
