"""Kind ``organ-features``: radiomics, geometry and exposure of organs to organ doses."""

import numpy as np

from milligray.dataset.dose_maps import current_arrays, organ_arrays
from milligray.dataset.kinds import Sample, per_value, register
from milligray.dataset.organ_transport import score_regions
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.learn.extras import require_radiomics
from milligray.learn.inputs.organ_features import organ_features
from milligray.source.scanner_library import list_scanners


@register(
    "organ-features",
    title="radiomics, geometry and exposure of organs -> organ doses",
    voxel_size_mm=4.0,
    require=require_radiomics,
)
def build_organ_features(spec: SampleSpec, threads: int) -> Sample:
    """Organs of one scan."""
    case = open_case(spec, is_regridded=False, threads=threads)
    deposit, scored, judged = score_regions(case, spec, case.weights, threads=threads)
    features = organ_features(case)
    ctdi = case.protocol.ctdi_vol_mgy or float("nan")
    return Sample(
        arrays={
            "features": per_value(
                features.values, "see docs/methods/training-sets.md",
                "one row an organ; NaN where a feature does not exist", np.float64,
            ),
            "feature_names": per_value(list(features.names), "", "columns", "S64"),
            **organ_arrays(case, scored),
            "organ_dose_per_ctdi": per_value(
                scored.mean_dose_mgy / ctdi, "mGy/mGy", "organ dose over CTDIvol", np.float64
            ),
            **current_arrays(case),
        },
        attributes=case.attributes | {
            "converged": deposit.converged, "radiomics_features": len(features.radiomics),
            "scanner_codes": list(list_scanners()),
            "reference_dose_mgy": float(scored.mean_dose_mgy.max()),
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
        },
        statistics={
            "worst_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].max()),
            "mean_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].mean()),
            "organs": len(scored.names),
            "histories": deposit.histories,
        },
    )  # fmt: skip
