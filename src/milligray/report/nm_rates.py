"""Mean dose rates of the organs at the times of the images."""

import numpy as np

from milligray.report.nm_result import NmResult
from milligray.segment.mass_weights import organ_mass_weights


def mean_dose_rates_mgy_h(result: NmResult) -> tuple[list[float], dict[str, list[float]]]:
    """Mass-weighted mean dose rate of every organ of the organ map.

    Parameters
    ----------
    result : NmResult

    Returns
    -------
    list of float [s], dict of organ to list of float [mGy/h]
        Times after administration, and the rate at each. Empty without dose-rate maps, and for a
        patient whose organ masses cannot be known (a CT without its calibration).
    """
    patient = result.patient
    if not result.dose_rates or (patient.ct is not None and patient.hu_calibration is None):
        return [], {}
    times = sorted(result.dose_rates)
    weights = organ_mass_weights(result.patient, result.organs)
    maps = np.stack([np.asarray(result.dose_rates[t], dtype=np.float64).ravel() for t in times], 1)
    means = np.asarray(weights.weights_g @ maps) / weights.mass_g[:, None]
    return times, {
        name: [float(v) for v in row] for name, row in zip(weights.names, means, strict=True)
    }
