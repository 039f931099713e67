"""Place and size of organs in a scan, and the scan's own figures, as features."""

import numpy as np

from milligray.errors import InputError
from milligray.learn.scan import Scan
from milligray.source.scanner_library import list_scanners
from milligray.typing import FloatArray


def organ_geometry(scan: Scan) -> tuple[tuple[str, ...], FloatArray]:
    """Place and size of the organs in the scan, and the scan's own figures.

    Returns
    -------
    names : tuple of str
    values : ndarray, shape (n_organs, n_names)
    """
    patient, weights = scan.patient, scan.weights.weights_g
    mass = np.asarray(weights.sum(axis=1)).ravel()
    z, y, x = np.meshgrid(*(patient.grid.axis_centers_mm(a) for a in range(3)), indexing="ij")

    def mean(of: FloatArray) -> FloatArray:
        return np.asarray(np.asarray(weights @ of.ravel()) / mass)

    low, high = scan.range_mm
    iso = scan.source.isocenter_lps_mm
    slices = patient.grid.axis_centers_mm(0)
    if patient.ct is None:
        raise InputError("features need a CT")
    diameter = np.interp(slices, patient.ct.grid.axis_centers_mm(0), scan.diameter_mm)
    current = np.interp(slices, scan.protocol.slice_position_mm, scan.protocol.relative_current)
    inside = ((slices >= low) & (slices <= high)).astype(np.float64)
    shape = patient.grid.shape

    def along_z(profile: FloatArray) -> FloatArray:
        return mean(np.broadcast_to(profile[:, None, None], shape))

    middle_z = mean(z)
    protocol, field = scan.protocol, scan.source.field
    columns = {
        "volume_ml": scan.weights.volume_ml,
        "mass_g": mass,
        "middle_relative_z": (middle_z - low) / (high - low),
        "middle_x_mm": mean(x) - iso[0],
        "middle_y_mm": mean(y) - iso[1],
        "extent_z_mm": np.sqrt(np.maximum(mean(z**2) - middle_z**2, 0.0)),
        "share_in_range": along_z(inside),
        "water_equivalent_diameter_mm": along_z(diameter),
        "relative_current": along_z(current * inside),
        "scan_length_mm": high - low,
        "tube_voltage_kv": protocol.tube_voltage_kv,
        "half_value_layer_mm_al": field.spectrum.half_value_layer_mm_al or np.nan,
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy or np.nan,
        "phantom_diameter_mm": protocol.phantom_diameter_mm or np.nan,
        "pitch": protocol.pitch,
        "collimation_mm": protocol.collimation_mm,
        "scanner_code": list_scanners().index(scan.scanner.name)
        if scan.scanner.name in list_scanners() else np.nan,
        "is_head_bowtie": float(scan.bowtie == "head"),
    }  # fmt: skip
    ones = np.ones(mass.size)
    return tuple(columns), np.stack([np.asarray(v) * ones for v in columns.values()], axis=1)
