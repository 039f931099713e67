"""The trivial rule: organ dose over CTDIvol falls exponentially with the effective diameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.dataset.storage import read_sample
from milligray.dataset.stored_scan import stored_grid
from milligray.train.dose_unet.organs import LEAST_VOXELS, SUM, OrganResult

_ARRAYS = (
    "body", "labels", "dose", "electron_density", "organ_names", "current_position",
    "relative_current",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DiameterRow:
    """What the rule needs of a sample.

    Parameters
    ----------
    sample, patient : str
    diameter_cm : float
        Mean effective diameter of the body in the range.
    is_head_phantom : bool
        CTDIvol refers to the phantom of 16 cm.
    ctdi_vol_mgy : float
    dose_mgy, share_scanned : mapping of organ to float
    """

    sample: str
    patient: str
    diameter_cm: float
    is_head_phantom: bool
    ctdi_vol_mgy: float
    dose_mgy: Mapping[str, float]
    share_scanned: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiameterRule:
    """Coefficients by organ.

    Notes
    -----
    ``D / CTDIvol = exp(a - b d_eff + c [16 cm phantom] + e share_scanned)``: the rule of AAPM
    Report 204, one an organ, with the phantom and the share of the organ in the range besides.
    Its uncertainty is the spread of its residuals.
    """

    coefficients: Mapping[str, tuple[float, ...]]
    spread: Mapping[str, float]

    def predict(self, rows: Sequence[DiameterRow]) -> list[OrganResult]:
        """Organ doses of samples, with the sum over organs."""
        found = []
        for row in rows:
            organs = []
            for organ, truth in row.dose_mgy.items():
                if organ not in self.coefficients:
                    continue
                dose = row.ctdi_vol_mgy * float(
                    np.exp(np.dot(self.coefficients[organ], _terms(row, organ)))
                )
                sigma = dose * self.spread[organ]
                organs.append(OrganResult(
                    sample=row.sample, patient=row.patient, organ=organ, truth=truth, dose=dose,
                    aleatoric=sigma, epistemic=0.0, total=sigma,
                    share_scanned=row.share_scanned[organ],
                ))  # fmt: skip
            single = [one for one in organs if not one.organ.startswith("Body")]
            found += organs
            if single:
                keys = ("truth", "dose", "aleatoric", "epistemic", "total")
                found.append(OrganResult(
                    sample=row.sample, patient=row.patient, organ=SUM,
                    share_scanned=float(np.mean([one.share_scanned for one in single])),
                    **{key: sum(getattr(one, key) for one in single) for key in keys},
                ))  # fmt: skip
        return found


def read_diameter_row(path: Path) -> DiameterRow:
    """Read what the rule needs of a sample; organ means as `organ_results` takes them."""
    sample = read_sample(path, _ARRAYS)
    arrays = {key: one.values for key, one in sample.arrays.items()}
    about = sample.attributes
    body = arrays["body"] > 0
    grid = stored_grid(sample)
    z = grid.axis_centers_mm(0)
    scanned = (z >= about["scan_low_mm"]) & (z <= about["scan_high_mm"])
    area = body[scanned].sum(axis=(1, 2)) * grid.spacing_mm[1] * grid.spacing_mm[2]
    dose, share = {}, {}
    everywhere = np.broadcast_to(scanned[:, None, None], body.shape)
    for index, name in enumerate(arrays["organ_names"]):
        place = (arrays["labels"] == index + 1) & body
        if np.count_nonzero(place) < LEAST_VOXELS:
            continue
        organ = name.decode()
        dose[organ] = float(
            np.average(arrays["dose"][place], weights=arrays["electron_density"][place])
        )
        share[organ] = float(everywhere[place].mean())
    return DiameterRow(
        sample=about["sample"], patient=about["patient"],
        diameter_cm=float((2.0 * np.sqrt(area / np.pi)).mean()) / 10.0,
        is_head_phantom=about["phantom_diameter_mm"] == 160, ctdi_vol_mgy=about["ctdi_vol_mgy"],
        dose_mgy=dose, share_scanned=share,
    )  # fmt: skip


def fit_diameter_rule(rows: Sequence[DiameterRow]) -> DiameterRule:
    """Fit the rule by least squares of the logarithm."""
    coefficients, spread = {}, {}
    for organ in sorted({name for row in rows for name in row.dose_mgy}):
        used = [row for row in rows if row.dose_mgy.get(organ, 0.0) > 0]
        if len(used) < 6:
            continue
        terms = np.array([_terms(row, organ) for row in used])
        target = np.log([row.dose_mgy[organ] / row.ctdi_vol_mgy for row in used])
        solution, *_ = np.linalg.lstsq(terms, target, rcond=None)
        residual = target - terms @ solution
        coefficients[organ] = tuple(float(v) for v in solution)
        spread[organ] = float(np.sqrt((residual**2).sum() / max(1, len(used) - terms.shape[1])))
    return DiameterRule(coefficients=coefficients, spread=spread)


def _terms(row: DiameterRow, organ: str) -> tuple[float, ...]:
    return (1.0, -row.diameter_cm, float(row.is_head_phantom), row.share_scanned[organ])
