"""Dose map with its uncertainty by an ensemble of U-Nets."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.dose_unet import predict_maps
from milligray.learn.ensemble import correlated_mean
from milligray.learn.inputs.coarse_grid import averaged, coarse_grid, interpolated
from milligray.learn.inputs.dose_unet_inputs import (
    DoseUnetInputs,
    air_kerma_map_mgy,
    domain_features,
    dose_unet_inputs,
    guess_options,
)
from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

SYSTEM = "dose-unet"
VOXEL_MM = 4.0
MARGIN_MM = 40.0
"""Beyond the beam's range along z, as in the training sets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanFields:
    """Fields of a scan on the network's grid.

    Parameters
    ----------
    grid : Grid
        Cubes of 4 mm, all of the patient.
    part : slice
        Slices in the beam's range and its margin, which the network sees.
    body : ndarray of bool, shape (part, ny, nx)
    inputs : DoseUnetInputs
        Of the part.
    features : ndarray
        `domain_features`.
    """

    grid: Grid
    part: slice
    body: BoolArray
    inputs: DoseUnetInputs
    features: FloatArray


def scan_fields(scan: Scan, network: Network) -> ScanFields:
    """Bring a scan to the network's cubes and make its inputs.

    Parameters
    ----------
    scan : Scan
        On any transport grid.
    network : Network
    """
    patient, source = scan.patient, scan.source
    grid = coarse_grid(patient.grid, VOXEL_MM)
    share = averaged(patient.body.astype(np.float32), patient.grid, grid)
    density = averaged(relative_electron_density(patient), patient.grid, grid)
    body = share > 0.5
    z = grid.axis_centers_mm(0)
    low, high = source.irradiated_z_mm
    kept = np.flatnonzero((z >= low - MARGIN_MM) & (z <= high + MARGIN_MM))
    part = slice(int(kept[0]), int(kept[-1]) + 1) if kept.size else slice(0, grid.shape[0])
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps_mm([part.start, 0, 0])
    cut = Grid(shape=(part.stop - part.start, *grid.shape[1:]), affine=affine)
    which, guess = guess_options(network.card.normalization)
    kerma = air_kerma_map_mgy(which, source, cut, density[part], body[part], photons=scan.photons)
    is_scanned = (z[part] >= scan.range_mm[0]) & (z[part] <= scan.range_mm[1])
    hvl = source.field.spectrum.half_value_layer_mm_al
    if hvl is None:
        raise InputError("the beam has no half-value layer; make its spectrum with make_spectrum")
    inputs = dose_unet_inputs(
        density[part], kerma, body[part], is_scanned, voxel_mm=VOXEL_MM,
        half_value_layer_mm_al=hvl, guess=guess,
    )  # fmt: skip
    _, features = domain_features(
        density[part], body[part], is_scanned, voxel_mm=VOXEL_MM, half_value_layer_mm_al=hvl,
        map_per_ctdi=inputs.scale_mgy / (scan.protocol.ctdi_vol_mgy or 1.0),
    )  # fmt: skip
    return ScanFields(grid=grid, part=part, body=body[part], inputs=inputs, features=features)


@predictor(SYSTEM)
def predict_dose_unet(scan: Scan, network: Network) -> Prediction:
    """Organ doses and dose map of a scan.

    Parameters
    ----------
    scan : Scan
    network : Network
        Members are those of a deep ensemble.

    Returns
    -------
    Prediction

    Notes
    -----
    Voxels: `milligray.learn.ensemble.combine_members`. Organs: means by mass of dose and of the
    standard deviations, i.e. with all voxels in full correlation. Uncertainties are multiplied by
    the card's ``temperature``, which makes two of them cover 95 % of the organs of patients that
    no weight was fitted to, and widened outside the domain. Beyond 40 mm from the beam
    the dose is taken as 0: it is below some thousandths of that in the beam.
    """
    fields = scan_fields(scan, network)
    normalization = network.card.normalization
    ensemble = predict_maps(
        network, fields.inputs, fields.body, tile=int(normalization.get("tile", 0))
    )
    factor = float(normalization.get("temperature", 1.0))
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    if network.card.domain is not None:
        verdict = network.card.domain.judge(fields.features)
        factor *= verdict.widening
        if verdict.is_far:
            refusals = (verdict.text(),)
        elif verdict.is_outside:
            warnings = (verdict.text(),)
    grid, body = scan.patient.grid, scan.patient.body
    maps = np.zeros((4, *fields.grid.shape), dtype=np.float32)
    maps[:, fields.part] = np.stack(
        [ensemble.dose, ensemble.aleatoric, ensemble.epistemic, ensemble.total]
    )
    maps = _filled(maps, fields)
    on_patient = np.where(body, np.maximum(interpolated(maps, fields.grid, grid), 0.0), 0.0)
    dose, aleatoric, epistemic, total = on_patient
    matrix = scan.weights.weights_g
    organs = []
    for row in range(len(scan.weights.names)):
        one = matrix[row]
        w = one.data
        means = [
            correlated_mean(w, m.ravel()[one.indices]) for m in (dose, aleatoric, epistemic, total)
        ]
        organs.append([means[0], *(m / max(means[0], 1e-12) for m in means[1:])])
    table = np.array(organs)
    relative = np.divide(total, dose, out=np.zeros_like(dose), where=dose > 0) * factor
    return Prediction(
        names=scan.weights.names, mean_dose_mgy=table[:, 0], aleatoric=table[:, 1] * factor,
        epistemic=table[:, 2] * factor, total=table[:, 3] * factor, method=network.method,
        grid=grid, dose_mgy=dose.astype(np.float32),
        dose_relative_uncertainty=relative.astype(np.float32),
        notes=(f"{network.members} networks; organs with all voxels in full correlation",),
        warnings=warnings, refusals=refusals,
    )  # fmt: skip


def _filled(maps: FloatArray, fields: ScanFields) -> FloatArray:
    """Values next to the body from their neighbors in it, for the interpolation at its skin."""
    whole = np.zeros(fields.grid.shape, dtype=np.float32)
    whole[fields.part] = fields.body
    found = maps * whole
    for axis in (1, 2, 3):
        near = np.roll(found, 1, axis) + np.roll(found, -1, axis)
        count = np.roll(whole, 1, axis - 1) + np.roll(whole, -1, axis - 1)
        new = (whole == 0) & (count > 0)
        found = np.where(new, near / np.maximum(count, 1), found)
        whole = np.where(new, np.float32(1.0), whole)
    return found
