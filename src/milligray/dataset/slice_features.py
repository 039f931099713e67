"""Kind ``slice-features``: what a slice shows of an organ to the organ's dose in that slice."""

import numpy as np
import scipy.sparse

from milligray.dataset.dose_maps import current_arrays, organ_arrays
from milligray.dataset.kinds import Sample, per_value, register
from milligray.dataset.organ_transport import score_regions
from milligray.dataset.patients import SampleSpec
from milligray.dataset.scan_case import ScanCase, open_case
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.learn.inputs.organ_slices import FEATURES, OrganSlices, organ_slices
from milligray.score.dose import OrganStatistics
from milligray.segment.mass_weights import OrganMassWeights


@register(
    "slice-features", title="features of organs in slices -> doses of organs in slices",
    voxel_size_mm=4.0,
)  # fmt: skip
def build_slice_features(spec: SampleSpec, threads: int) -> Sample:
    """Organs of a scan, slice by slice of the transport grid."""
    case = open_case(spec, is_regridded=False, threads=threads)
    rows = organ_slices(case)
    deposit, scored, judged = score_regions(case, spec, _with_slices(case, rows), threads=threads)
    n = len(case.weights.names)
    organs = OrganStatistics(
        names=scored.names[:n], mean_dose_mgy=scored.mean_dose_mgy[:n],
        relative_uncertainty=scored.relative_uncertainty[:n], mass_g=scored.mass_g[:n],
        volume_ml=scored.volume_ml[:n],
    )  # fmt: skip
    slice_relative = scored.relative_uncertainty[n:]
    in_range = np.abs(rows.features[:, 6] - 0.5) <= 0.5
    seen = slice_relative[in_range & (scored.mean_dose_mgy[n:] > 0)]
    return Sample(
        arrays={
            "features": per_value(rows.features, "see feature_units", "one row an organ and slice"),
            "feature_names": per_value([name for name, _ in FEATURES], "", "columns", "S64"),
            "feature_units": per_value([unit for _, unit in FEATURES], "", "columns", "S16"),
            "organ_index": per_value(rows.organ, "", "row of organ_names", np.int32),
            "slice_index": per_value(rows.slice_, "", "slice of the transport grid", np.int32),
            "slice_dose": per_value(
                scored.mean_dose_mgy[n:], "mGy", "mean dose of the organ in the slice", np.float64
            ),
            "slice_relative_uncertainty": per_value(
                slice_relative, "1", "k = 1, from batches of the organ in the slice", np.float64
            ),
            "slice_mass": per_value(scored.mass_g[n:], "g", "of the organ", np.float64),
            **organ_arrays(case, organs),
            **current_arrays(case),
        },
        attributes=case.attributes | {
            "slice_thickness_mm": case.patient.grid.spacing_mm[0],
            "converged": deposit.converged,
            "reference_dose_mgy": float(organs.mean_dose_mgy.max()),
            "sigma_floor_fraction": FLOOR_OF_REFERENCE,
        },
        statistics={
            "worst_organ_relative_uncertainty": float(scored.relative_uncertainty[judged].max()),
            "mean_slice_relative_uncertainty": float(seen.mean()) if seen.size else 1.0,
            "rows": int(rows.organ.size),
            "histories": deposit.histories,
        },
    )  # fmt: skip


def _with_slices(case: ScanCase, rows: OrganSlices) -> OrganMassWeights:
    """Organs, and behind them their slices."""
    organs = case.weights
    names = (f"{organs.names[o]} @ {k}" for o, k in zip(rows.organ, rows.slice_, strict=True))
    return OrganMassWeights(
        names=(*organs.names, *names),
        weights_g=scipy.sparse.vstack([organs.weights_g, rows.weights_g]).tocsr(),
        mass_g=np.concatenate([organs.mass_g, rows.mass_g]),
        volume_ml=np.concatenate([organs.volume_ml, rows.volume_ml]),
    )
