"""All that is known of a scan's organs in numbers, and what an organ network is given of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.learn.inputs.organ_exposure import EXPOSURES, organ_exposure
from milligray.learn.inputs.organ_geometry import organ_geometry
from milligray.learn.inputs.radiomics_features import CLASSES, radiomics_features
from milligray.learn.scan import Scan
from milligray.typing import FloatArray

RELEASED = EXPOSURES[:-1]
"""Columns that the physics rule adds up."""
_EDGE_MM = (-100.0, 200.0)
_LEAST = 1e-6
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganFeatures:
    """Features of organs, one row an organ.

    Parameters
    ----------
    organs : tuple of str, length n
    names : tuple of str, length p
        Columns: 107 radiomics features, geometry, exposure.
    values : ndarray, shape (n, p)
        NaN where a feature does not exist.
    """

    organs: tuple[str, ...]
    names: tuple[str, ...]
    values: FloatArray

    def column(self, name: str) -> FloatArray:
        """One feature of all organs, shape (n,)."""
        return self.columns((name,))[:, 0]

    def columns(self, names: tuple[str, ...]) -> FloatArray:
        """Features of all organs, shape (n, len(names)).

        Raises
        ------
        InputError
            If there is no such feature.
        """
        index = {name: i for i, name in enumerate(self.names)}
        absent = [name for name in names if name not in index]
        if absent:
            raise InputError(
                f"there are no features {', '.join(absent[:5])}; make the set again with this"
                " version (milligray dataset make --kind organ-features)"
            )
        return np.asarray(self.values[:, [index[name] for name in names]])

    def take(self, rows: npt.NDArray[np.int64]) -> "OrganFeatures":
        """Some of its rows."""
        return OrganFeatures(
            organs=tuple(self.organs[i] for i in rows), names=self.names, values=self.values[rows]
        )

    @property
    def radiomics(self) -> tuple[str, ...]:
        """Names of the radiomics features."""
        return tuple(n for n in self.names if n.startswith(tuple(f"{c}_" for c in CLASSES)))


def organ_features(
    scan: Scan, organs: tuple[str, ...] | None = None, *, classes: tuple[str, ...] = CLASSES
) -> OrganFeatures:
    """Radiomics, geometry and exposure of the organs of a scan.

    Parameters
    ----------
    scan : Scan
    organs : tuple of str, optional
        Only these (default: all).
    classes : tuple of str
        Of radiomics features.

    Raises
    ------
    InputError
        If the patient has no CT.
    MissingExtraError
        Without pyradiomics.
    """
    if scan.patient.ct is None:
        raise InputError("features need a CT")
    organs = scan.weights.names if organs is None else organs
    rows = [scan.weights.names.index(name) for name in organs]
    of_all = (organ_geometry(scan), organ_exposure(scan))
    parts = (
        radiomics_features(scan.patient.ct, scan.organs, organs, classes=classes),
        *((names, values[rows]) for names, values in of_all),
    )
    return OrganFeatures(
        organs=organs, names=tuple(name for names, _ in parts for name in names),
        values=np.concatenate([values for _, values in parts], axis=1),
    )  # fmt: skip


def rule_dose_per_ctdi(features: OrganFeatures, coefficients: FloatArray) -> FloatArray:
    """Organ dose over CTDIvol by a rule of five numbers.

    Parameters
    ----------
    features : OrganFeatures
    coefficients : ndarray, shape (5,), >= 0
        Of `RELEASED`.

    Returns
    -------
    ndarray, shape (n_organs,) [mGy/mGy]

    Notes
    -----
    ``R = f (c_0 K + sum_s c_s S_s)``

    with the primary beam's kerma ``K`` at the organ, the same spread over ``s`` millimeters
    ``S_s`` (what scatter comes from), and the organ's tissues against water ``f``
    (`milligray.learn.inputs.organ_exposure`).
    """
    released = features.columns(RELEASED) @ np.asarray(coefficients)
    ratio = features.column("tissue_kerma_ratio")
    return np.asarray(np.maximum(ratio * released, _LEAST))


def physics_columns(
    features: OrganFeatures, coefficients: FloatArray
) -> tuple[tuple[str, ...], FloatArray]:
    """Place and exposure of organs as a network likes them: of order one, no wide tails.

    Parameters
    ----------
    features : OrganFeatures
    coefficients : ndarray, shape (5,)
        Of the rule.

    Returns
    -------
    names : tuple of str
    values : ndarray, shape (n_organs, n_names)

    Notes
    -----
    ``log_<part>`` are the natural logarithms of primary and scatter over the rule's dose (not below
    0.02), ``*_edge_mm`` the organ's distances to the ends of the range.
    """
    rule = rule_dose_per_ctdi(features, coefficients)
    parts = features.columns(RELEASED) / rule[:, None]
    length = features.column("scan_length_mm")
    z = features.column("middle_relative_z")
    columns: dict[str, FloatArray] = {"log_rule": np.log(rule)}
    for name, part in zip(RELEASED, parts.T, strict=True):
        columns[f"log_{name.removesuffix('_per_ctdi')}"] = np.log(np.maximum(part, _LEAST_SHARE))
    columns["log_tissue_kerma_ratio"] = np.log(features.column("tissue_kerma_ratio"))
    columns["log_relative_current"] = np.log(
        np.maximum(features.column("relative_current"), _LEAST_SHARE)
    )
    columns["lower_edge_mm"] = np.clip(z * length, *_EDGE_MM)
    columns["upper_edge_mm"] = np.clip((1.0 - z) * length, *_EDGE_MM)
    columns["log_volume"] = np.log(np.maximum(features.column("volume_ml"), _LEAST))
    for name in (
        "middle_x_mm", "middle_y_mm", "extent_z_mm", "share_in_range",
        "water_equivalent_diameter_mm", "tube_voltage_kv", "half_value_layer_mm_al",
        "is_head_bowtie",
    ):  # fmt: skip
        columns[name] = features.column(name)
    return tuple(columns), np.stack(list(columns.values()), axis=1)
