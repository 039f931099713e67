"""The X-ray source of a whole CT scan: tube path, fan, bowtie, current.

The scan is one source: z, tube angle, place in the fan and energy are random variables of every
history, weighted by the tube current, so the number of rotations costs nothing.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from milligray.constants import CM_PER_MM
from milligray.errors import InputError
from milligray.source.alias import alias_table
from milligray.source.beams import energy_tables
from milligray.source.emission_tables import CT_FAN, EmissionTables
from milligray.source.spectrum import Spectrum
from milligray.typing import FloatArray

N_FAN_BINS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FanField:
    """The beam of a CT scanner at one tube position.

    Parameters
    ----------
    focal_radius_mm : float
    width_mm, height_mm : float
        Field on the plane through the axis: across the fan, and along z (with over-beaming).
    spectrum : Spectrum
        On the central ray.
    filter_mu_per_mm : ndarray, shape (n_energy,) [1/mm]
        Attenuation coefficient of the bowtie's material at the bin centers.
    filter_fan_angle_rad, filter_thickness_mm : ndarray, shape (n,)
        Extra thickness of the bowtie against the absolute fan angle; empty: no bowtie.
    """

    focal_radius_mm: float
    width_mm: float
    height_mm: float
    spectrum: Spectrum
    filter_mu_per_mm: FloatArray
    filter_fan_angle_rad: FloatArray
    filter_thickness_mm: FloatArray

    def __post_init__(self) -> None:
        for name in ("focal_radius_mm", "width_mm", "height_mm"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be > 0, got {getattr(self, name)}")

    def lateral_centers_mm(self) -> FloatArray:
        """Centers of the fan bins on the plane through the axis [mm], shape (N_FAN_BINS,)."""
        return np.asarray(self.width_mm * ((np.arange(N_FAN_BINS) + 0.5) / N_FAN_BINS - 0.5))

    def photons(self) -> FloatArray:
        """Relative photons per fan bin and energy bin, shape (N_FAN_BINS, n_energy).

        Solid angle of the bin times spectrum times the transmission of the bowtie; relative to
        an open field with the central spectrum everywhere (sum 1 without bowtie).
        """
        lateral = self.lateral_centers_mm()
        a2 = self.focal_radius_mm**2 + lateral**2
        half = 0.5 * self.height_mm
        # photons per bin at equal flux per solid angle: integral over z of R / (a^2 + z^2)^(3/2)
        solid_angle = half / (a2 * np.sqrt(a2 + half**2))
        photons = solid_angle[:, None] / solid_angle.sum() * self.spectrum.weights[None]
        if self.filter_fan_angle_rad.size:
            angle = np.arctan(np.abs(lateral) / self.focal_radius_mm)
            thickness = np.interp(angle, self.filter_fan_angle_rad, self.filter_thickness_mm)
            photons = photons * np.exp(-thickness[:, None] * self.filter_mu_per_mm[None])
        return np.asarray(photons)

    def photons_per_mas(self) -> float:
        """Photons that leave through the field per mAs, from the tube model's output.

        ``fluence at 1 m x (1 m)^2 x solid angle of the open field x mean transmission``. An
        absolute tube output is uncertain by some 20 %: no substitute for a CTDIvol.
        """
        if self.spectrum.fluence_per_cm2_mas is None:
            raise InputError(
                "this spectrum has no absolute tube output; make it with make_spectrum"
            )
        half_width, half_height = 0.5 * self.width_mm, 0.5 * self.height_mm
        radius = self.focal_radius_mm
        diagonal = np.sqrt(radius**2 + half_width**2 + half_height**2)
        solid_angle = 4.0 * np.arctan(half_width * half_height / (radius * diagonal))
        per_steradian = self.spectrum.fluence_per_cm2_mas * 100.0**2
        return float(per_steradian * solid_angle * self.photons().sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtSource:
    """A CT scan as a source of photons.

    Parameters
    ----------
    field : FanField
    isocenter_lps_mm : (x, y) [mm]
    z_bins_mm : ndarray, shape (n, 2) [mm]
        Bins of the tube's z (LPS), ascending; of no width for the stations of an axial scan.
    z_weights : ndarray, shape (n,)
        Relative photons emitted per bin: current x time.
    rotations : float
        Rotations at the mean current to which the whole path corresponds: the sum over the path of
        current / mean current, in rotations. Photons of the scan = photons of a rotation x this.
    feed_mm : float
        Table feed per rotation.
    collimation_mm : float
        Nominal total beam width.
    start_angle_rad : float or None
        Tube angle at the lower end of the first bin; None: unknown, averaged over.
    mode : {"helical", "axial"}
    angle_sense : {1, -1}
        Helical with a known angle: 1 if the tube angle grows with z, -1 if it falls.
    ctdi_vol_mgy : float or None
        CTDIvol at the mean current: the absolute scale of the scan.
    phantom_diameter_mm : {160, 320} or None
        Phantom of that CTDIvol.
    description : str
    notes : tuple of str
    """

    field: FanField
    isocenter_lps_mm: tuple[float, float]
    z_bins_mm: FloatArray
    z_weights: FloatArray
    rotations: float
    feed_mm: float
    collimation_mm: float
    start_angle_rad: float | None
    mode: Literal["helical", "axial"]
    angle_sense: Literal[1, -1] = 1
    ctdi_vol_mgy: float | None = None
    phantom_diameter_mm: int | None = None
    description: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bins = np.array(self.z_bins_mm, dtype=np.float64)
        weights = np.array(self.z_weights, dtype=np.float64)
        if bins.ndim != 2 or bins.shape[1] != 2 or weights.shape != bins.shape[:1]:
            raise InputError("z_bins_mm must be (n, 2) and z_weights (n,)")
        object.__setattr__(self, "z_bins_mm", bins)
        object.__setattr__(self, "z_weights", weights)

    @property
    def max_energy_kev(self) -> float:
        """Highest photon energy [keV]."""
        return float(self.field.spectrum.edges_kev[-1])

    @property
    def scan_length_mm(self) -> float:
        """Irradiated length, rotations x feed [mm]: DLP / CTDIvol at constant current."""
        return self.rotations * self.feed_mm

    @property
    def irradiated_z_mm(self) -> tuple[float, float]:
        """Range along z that the beam covers on the axis [mm, LPS]."""
        half = 0.5 * self.field.height_mm
        return float(self.z_bins_mm.min()) - half, float(self.z_bins_mm.max()) + half

    def single_rotation(self, z_mm: float = 0.0) -> "CtSource":
        """One axial rotation about the origin with the same beam: what a CTDI measurement sees."""
        return replace(
            self,
            isocenter_lps_mm=(0.0, 0.0),
            z_bins_mm=np.array([[z_mm, z_mm]]),
            z_weights=np.ones(1),
            rotations=1.0,
            feed_mm=self.collimation_mm,
            start_angle_rad=None,
            mode="axial",
        )

    def emission_tables(self, corner_lps_mm: FloatArray) -> EmissionTables:
        """Kernel tables in the coordinates of a box whose outer corner is given [mm]."""
        photons = self.field.photons()
        fan_probability, fan_alias = alias_table(photons.sum(axis=1))
        edges, probability, alias = energy_tables(self.field.spectrum, photons)
        z_probability, z_alias = alias_table(self.z_weights)
        helix = self.mode == "helical" and self.start_angle_rad is not None
        fixed = self.start_angle_rad is not None
        iso_x, iso_y = self.isocenter_lps_mm
        origin = np.array([iso_x, iso_y, 0.0]) - corner_lps_mm
        return EmissionTables(
            kind=CT_FAN,
            origin=np.ascontiguousarray(origin * CM_PER_MM),
            half_width=0.5 * self.field.width_mm * CM_PER_MM,
            half_height=0.5 * self.field.height_mm * CM_PER_MM,
            focal_radius=self.field.focal_radius_mm * CM_PER_MM,
            z_bins=np.ascontiguousarray(self.z_bins_mm * CM_PER_MM),
            z_probability=z_probability,
            z_alias=z_alias,
            z_cumulative=np.cumsum(self.z_weights) / np.sum(self.z_weights),
            angle_start=float(self.start_angle_rad or 0.0),
            angle_per_cm=(
                self.angle_sense * 2.0 * np.pi / (self.feed_mm * CM_PER_MM) if helix else 0.0
            ),
            angle_span=0.0 if helix or (fixed and self.mode == "helical") else 2.0 * np.pi,
            fan_probability=fan_probability,
            fan_alias=fan_alias,
            energy_edges=edges,
            energy_probability=probability,
            energy_alias=alias,
        )


def open_fan(
    *, focal_radius_mm: float, width_mm: float, height_mm: float, spectrum: Spectrum
) -> FanField:
    """Fan without a bowtie."""
    empty: npt.NDArray[np.float64] = np.empty(0)
    return FanField(
        focal_radius_mm=focal_radius_mm,
        width_mm=width_mm,
        height_mm=height_mm,
        spectrum=spectrum,
        filter_mu_per_mm=empty,
        filter_fan_angle_rad=empty,
        filter_thickness_mm=empty,
    )
