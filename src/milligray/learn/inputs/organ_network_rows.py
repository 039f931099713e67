"""Rows that the organ network sees: physics, chosen radiomics, and which organ it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.errors import FormatError, InputError
from milligray.learn.inputs.organ_features import (
    OrganFeatures,
    physics_columns,
    rule_dose_per_ctdi,
)
from milligray.learn.inputs.radiomics_features import CLASSES
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaler:
    """Standardization of features, learned on training patients.

    Parameters
    ----------
    mean, scale : ndarray, shape (p,)
        ``z = (x - mean) / scale``, then held within ``limit``.
    limit : float
        Standard deviations.
    """

    mean: FloatArray
    scale: FloatArray
    limit: float = 5.0

    @classmethod
    def fit(cls, features: FloatArray, *, limit: float = 5.0) -> "Scaler":
        """From the rows of training patients; a feature that does not vary gets the scale 1."""
        mean, scale = features.mean(axis=0), features.std(axis=0)
        flat = scale <= 1e-9 * np.abs(mean) + 1e-12
        return cls(mean=mean, scale=np.where(flat, 1.0, scale), limit=limit)

    def __call__(self, features: FloatArray) -> npt.NDArray[np.float32]:
        """Standardized, float32."""
        z = np.clip((features - self.mean) / self.scale, -self.limit, self.limit)
        return np.asarray(z, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganNormalization:
    """How features of organs become rows of the network, and its output a dose.

    Parameters
    ----------
    organs : tuple of str
        That it knows.
    radiomics : tuple of str
        Chosen features.
    physics : tuple of str
        Names of `physics_columns`, in order.
    coefficients : ndarray, shape (5,)
        Of the rule.
    scaler : Scaler
        Of physics and radiomics columns, in this order.
    target_mean, target_scale : float
        ``log(dose / CTDIvol / rule) = target_mean + target_scale output``.
    """

    organs: tuple[str, ...]
    radiomics: tuple[str, ...]
    physics: tuple[str, ...]
    coefficients: FloatArray
    scaler: Scaler
    target_mean: float
    target_scale: float

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features before the organ's own columns."""
        return (*self.physics, *self.radiomics)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of radiomics features that are needed."""
        return tuple(c for c in CLASSES if any(n.startswith(f"{c}_") for n in self.radiomics))

    def features(self, features: OrganFeatures) -> FloatArray:
        """Physics and radiomics columns, not standardized, shape (n, p)."""
        names, physics = physics_columns(features, self.coefficients)
        if names != self.physics:
            raise InputError("the network was made with other features; train it again")
        return np.concatenate([physics, features.columns(self.radiomics)], axis=1)

    def rows(self, features: OrganFeatures) -> npt.NDArray[np.float32]:
        """Rows of the network, shape (n, p + n_organs): standardized features, organ as 0 or 1."""
        unknown = sorted(set(features.organs) - set(self.organs))
        if unknown:
            raise InputError(f"the network does not know {', '.join(unknown)}")
        which = np.array(features.organs)[:, None] == np.array(self.organs)[None]
        return np.concatenate(
            [self.scaler(self.features(features)), which.astype(np.float32)], axis=1
        )

    def rule_dose_per_ctdi(self, features: OrganFeatures) -> FloatArray:
        """Dose over CTDIvol by the rule alone, shape (n,)."""
        return rule_dose_per_ctdi(features, self.coefficients)

    def to_document(self) -> dict[str, Any]:
        """For ``normalization`` of a card."""
        return {
            "organs": self.organs, "radiomics": self.radiomics, "physics": self.physics,
            "rule_coefficients": self.coefficients, "mean": self.scaler.mean,
            "scale": self.scaler.scale, "limit": self.scaler.limit,
            "target_mean": self.target_mean, "target_scale": self.target_scale,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "OrganNormalization":
        """From ``normalization`` of a card; raises FormatError."""
        try:
            return cls(
                organs=tuple(document["organs"]), radiomics=tuple(document["radiomics"]),
                physics=tuple(document["physics"]),
                coefficients=np.array(document["rule_coefficients"], dtype=np.float64),
                scaler=Scaler(
                    mean=np.array(document["mean"], dtype=np.float64),
                    scale=np.array(document["scale"], dtype=np.float64),
                    limit=float(document["limit"]),
                ),
                target_mean=float(document["target_mean"]),
                target_scale=float(document["target_scale"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"normalization of the card lacks {error}") from error
