"""Absolute scale: simulate the CTDI measurement with the very source of the scan."""

import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse

from milligray.constants import AIR_DENSITY_G_CM3, CM3_PER_MM3, MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.patient.phantoms.ctdi import CHAMBER_LENGTH_MM, chamber_slices, ctdi_phantom
from milligray.physics.compiled import sources_stamp
from milligray.score.claim import claimed
from milligray.source.ct_source import CtSource
from milligray.source.tube import cache_folder
from milligray.transport.monte_carlo.regions import transport_to_regions

DEFAULT_PRECISION = 0.004
MAX_DIRECT_COLLIMATION_MM = 40.0
REFERENCE_COLLIMATION_MM = 20.0
_CACHE_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CtdiSimulation:
    """CTDI of one axial rotation, per emitted photon.

    Parameters
    ----------
    phantom_diameter_mm : int
    center_mgy, periphery_mgy : float [mGy per photon]
        ``CTDI_100``: air kerma in the 100 mm chamber x 100 mm / nominal collimation.
    weighted_mgy : float [mGy per photon]
        ``CTDI_w = center / 3 + 2 periphery / 3``.
    relative_uncertainty : float
        Of `weighted_mgy`, statistics, k = 1.
    histories : int
    """

    phantom_diameter_mm: int
    center_mgy: float
    periphery_mgy: float
    weighted_mgy: float
    relative_uncertainty: float
    histories: int


def simulate_ctdi(
    source: CtSource,
    phantom_diameter_mm: int,
    *,
    precision: float = DEFAULT_PRECISION,
    threads: int | None = None,
    device: str = "cpu",
    cache: bool = True,
) -> CtdiSimulation:
    """CTDI_w per photon of the source's beam, by Monte Carlo in the PMMA phantom.

    Parameters
    ----------
    source : CtSource
        Only its beam counts: one axial rotation about the phantom's center is simulated; above
        40 mm collimation that of the reference beam of the standard.
    phantom_diameter_mm : {160, 320}
    precision : float
        Relative standard deviation of CTDI_w to reach.
    device : {"cpu", "cuda", "auto"}
    cache : bool
        Take the result from the cache folder if this beam was simulated before.

    Returns
    -------
    CtdiSimulation

    Notes
    -----
    The chamber is an air cavity of 3 cm3 and 100 mm; collision kerma in its air equals what a
    calibrated chamber reads. All five chambers are present at once (a measurement has plugs in
    the other holes); that is estimated to raise CTDI_w by 0.2 % at 160 mm.
    """
    beam, to_nominal = _measured_beam(source)
    path = cache_folder() / f"ctdi-{_key(source.single_rotation(), phantom_diameter_mm)}.json"
    stored = _read(path, precision) if cache else None
    if stored is not None:
        return stored
    if not cache:
        return _simulate(beam, to_nominal, phantom_diameter_mm, precision, threads, device)
    with claimed(path):
        stored = _read(path, precision)  # another process may have made it meanwhile
        if stored is None:
            stored = _simulate(beam, to_nominal, phantom_diameter_mm, precision, threads, device)
            _write(path, stored)
    return stored


def _simulate(
    beam: CtSource,
    to_nominal: float,
    phantom_diameter_mm: int,
    precision: float,
    threads: int | None,
    device: str,
) -> CtdiSimulation:
    phantom, chambers = ctdi_phantom(phantom_diameter_mm)
    slices = chamber_slices(phantom.grid)
    # the air of pixels wholly inside a chamber; the periphery is the mean of its four
    whole = chambers > 0.999
    regions = np.stack([whole[0], whole[1:].any(axis=0)])
    membership = scipy.sparse.csr_matrix(
        np.stack([(slices[:, None, None] & r[None]).ravel() for r in regions]).astype(np.float64)
    )
    volume_cm3 = np.prod(phantom.grid.spacing_mm) * CM3_PER_MM3
    mass_g = membership.sum(axis=1).A1 * volume_cm3 * AIR_DENSITY_G_CM3
    to_ctdi = MGY_PER_KEV_PER_G / mass_g * CHAMBER_LENGTH_MM / beam.collimation_mm * to_nominal
    weights = to_ctdi * np.array([1.0, 2.0]) / 3.0
    result = transport_to_regions(
        phantom, beam, membership, precision=precision, combine=weights, threads=threads,
        device=device, ambient="vacuum", seed=44,
    )  # fmt: skip
    center, periphery = (float(v) for v in result.energy_kev * to_ctdi)
    batches = result.batches_kev @ weights
    return CtdiSimulation(
        phantom_diameter_mm=phantom_diameter_mm,
        center_mgy=center,
        periphery_mgy=periphery,
        weighted_mgy=float(batches.mean()),
        relative_uncertainty=float(batches.std(ddof=1) / np.sqrt(batches.size) / batches.mean()),
        histories=result.histories,
    )


def _measured_beam(source: CtSource) -> tuple[CtSource, float]:
    """Beam in which CTDI_100 is measured, and the factor from its CTDI per photon to the scan's.

    Up to 40 mm it is the scan's own. The 100 mm chamber is too short for wider ones, so IEC
    60601-2-44 (edition 3) measures a reference beam of at most 20 mm and multiplies by the ratio
    of the CTDI free in air, ``(integral of the kerma profile) / (n T)``. Per photon the integral is
    the same for both beams, so the ratio is that of the nominal widths.
    """
    beam = source.single_rotation()
    if source.collimation_mm <= MAX_DIRECT_COLLIMATION_MM:
        return beam, 1.0
    narrower = source.collimation_mm - REFERENCE_COLLIMATION_MM
    field = replace(beam.field, height_mm=beam.field.height_mm - narrower)
    reference = replace(
        beam,
        field=field,
        collimation_mm=REFERENCE_COLLIMATION_MM,
        feed_mm=REFERENCE_COLLIMATION_MM,
    )
    return reference, REFERENCE_COLLIMATION_MM / source.collimation_mm


def photons_per_scan(source: CtSource, ctdi: CtdiSimulation, ctdi_vol_mgy: float) -> float:
    """Photons that the tube emitted into the beam during the scan.

    ``N_rotation = CTDI_vol pitch / CTDI_w per photon``, and the path of the tube is worth
    ``source.rotations`` rotations at the mean current.
    """
    pitch = source.feed_mm / source.collimation_mm
    return ctdi_vol_mgy * pitch / ctdi.weighted_mgy * source.rotations


def scan_photons(source: CtSource, *, threads: int | None = None) -> float:
    """Photons of the scan from the source's own CTDIvol; simulates its CTDI if not in the cache."""
    if source.ctdi_vol_mgy is None or source.phantom_diameter_mm is None:
        raise InputError(
            "the scan has no CTDIvol with its phantom, so there is no absolute scale; give photons"
        )
    ctdi = simulate_ctdi(source, source.phantom_diameter_mm, threads=threads)
    return photons_per_scan(source, ctdi, source.ctdi_vol_mgy)


@lru_cache(maxsize=1)
def _model_stamp() -> str:
    """Hash of what the compiled physics works on here: cross sections, materials, phantom."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256(version("xraylib").encode())
    for folder in (package / "materials", package / "patient" / "phantoms"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _key(beam: CtSource, phantom_diameter_mm: int) -> str:
    """Hash of all that the simulated CTDI depends on, physics and materials included."""
    field = beam.field
    digest = hashlib.sha256()
    head = (
        _CACHE_VERSION, sources_stamp(), _model_stamp(), phantom_diameter_mm, beam.collimation_mm,
        field.focal_radius_mm, field.width_mm, field.height_mm,
    )  # fmt: skip
    digest.update(repr(head).encode())
    for array in (
        field.spectrum.edges_kev, field.spectrum.weights, field.filter_mu_per_mm,
        field.filter_fan_angle_rad, field.filter_thickness_mm,
    ):  # fmt: skip
        digest.update(np.round(np.asarray(array, dtype=np.float64), 12).tobytes())
    return digest.hexdigest()[:24]


def _read(path: Path, precision: float) -> CtdiSimulation | None:
    try:
        stored = CtdiSimulation(**json.loads(path.read_text(encoding="utf-8")))
        usable = all(0 < value < math.inf for value in asdict(stored).values())
    except (OSError, ValueError, TypeError):
        return None  # absent or damaged: simulate again
    return stored if usable and stored.relative_uncertainty <= precision * 1.001 else None


def _write(path: Path, simulation: CtdiSimulation) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(simulation), file)
        Path(name).replace(path)
    except OSError:
        return  # a cache that cannot be written costs time, not the result
