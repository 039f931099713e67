"""What a network says of a scan, and who knows how to ask it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import SYSTEMS
from milligray.learn.card_values import choices
from milligray.learn.network import Network, open_network
from milligray.learn.shelf import find_network
from milligray.learn.validity import check_validity, refuse, scan_facts
from milligray.typing import FloatArray
from milligray.volume import Grid

if TYPE_CHECKING:
    from milligray.learn.scan import Scan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Organ doses of a scan by a network, and the dose map if it gives one.

    Parameters
    ----------
    names : tuple of str
        Organs.
    mean_dose_mgy : ndarray, shape (n_organs,) [mGy]
    aleatoric : ndarray, shape (n_organs,)
        Relative uncertainty (k = 1) that the inputs leave open.
    epistemic : ndarray, shape (n_organs,)
        Relative uncertainty (k = 1) of the network itself: spread of an ensemble.
    total : ndarray, shape (n_organs,)
        Relative uncertainty (k = 1) to be reported, with calibration and widening; at least the
        quadratic sum of the two parts.
    method : str
        `Network.method`.
    grid : Grid or None
        Of the dose map: that of the scan's patient.
    dose_mgy : ndarray, shape ``grid.shape``, float32 [mGy], or None
    dose_relative_uncertainty : ndarray, shape ``grid.shape``, float32, or None
        k = 1, total.
    notes, warnings : tuple of str
    refusals : tuple of str
        Why these doses should not be used, e.g. inputs far outside the domain; `predict_dose`
        raises for them.
    """

    names: tuple[str, ...]
    mean_dose_mgy: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray
    total: FloatArray
    method: str
    grid: Grid | None = None
    dose_mgy: FloatArray | None = None
    dose_relative_uncertainty: FloatArray | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(set(self.names)) != n:
            raise InputError("organ names of a prediction must be unique")
        for key in ("mean_dose_mgy", "aleatoric", "epistemic", "total"):
            self._keep(key, np.float64, (n,))
        parts = np.hypot(self.aleatoric, self.epistemic)
        if (self.total < parts * (1.0 - 1e-6)).any():
            raise InputError("the total uncertainty is smaller than its parts")
        maps = (self.dose_mgy, self.dose_relative_uncertainty)
        if self.grid is None:
            if any(one is not None for one in maps):
                raise InputError("a dose map needs its grid")
            return
        if self.dose_mgy is None:
            raise InputError("a grid without a dose map")
        self._keep("dose_mgy", np.float32, self.grid.shape)
        if self.dose_relative_uncertainty is not None:
            self._keep("dose_relative_uncertainty", np.float32, self.grid.shape)

    def _keep(self, key: str, dtype: type, shape: tuple[int, ...]) -> None:
        values: FloatArray = np.array(getattr(self, key), dtype=dtype)
        if values.shape != shape or not np.isfinite(values).all() or (values < 0).any():
            raise InputError(f"{key} of a prediction must be finite, >= 0, of shape {shape}")
        values.setflags(write=False)
        object.__setattr__(self, key, values)


Predict = Callable[["Scan", Network], Prediction]
"""(scan, network) -> prediction"""

PREDICTORS: dict[str, Predict] = {}


def predictor(system: str) -> Callable[[Predict], Predict]:
    """Decorate the function that predicts with networks of a system."""
    if system not in SYSTEMS:
        raise ValueError(f"no system named {system!r}")

    def put(predict: Predict) -> Predict:
        if system in PREDICTORS:
            raise ValueError(f"a predictor of {system!r} is registered twice")
        PREDICTORS[system] = predict
        return predict

    return put


def find_predictor(system: str) -> Predict:
    """Predictor of a system, from ``milligray.learn.predictors.<system>``.

    Raises
    ------
    InputError
        If there is none.
    """
    if system not in SYSTEMS:
        raise InputError(f"no system named {system!r}{choices(system, SYSTEMS)}")
    if system not in PREDICTORS:
        module = f"milligray.learn.predictors.{system.replace('-', '_')}"
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise InputError(f"this version cannot predict with networks of {system}") from error
    return PREDICTORS[system]


def predict_dose(
    scan: "Scan",
    network: Network | str | Path,
    *,
    body_region: str | None = None,
    beyond_validity: bool = False,
) -> Prediction:
    """Predict the organ doses of a scan, if the network may be believed for it.

    Parameters
    ----------
    scan : Scan
    network : Network or str or Path
        A network, the name of a shipped one, or a folder.
    body_region : str, optional
        If the card limits it.
    beyond_validity : bool
        Go on where the network would refuse; the reasons become warnings.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If the scan, or its inputs, are not what the network was made for.
    """
    if not isinstance(network, Network):
        network = open_network(find_network(network))
    facts = scan_facts(scan) | {"body_region": body_region}
    reasons = check_validity(network.card, **facts)
    refuse(network.card.name, reasons, beyond_validity=beyond_validity)
    found = find_predictor(network.card.system)(scan, network)
    refuse(network.card.name, found.refusals, beyond_validity=beyond_validity)
    beyond = (*reasons, *found.refusals)
    return replace(found, warnings=(*beyond, *found.warnings), refusals=()) if beyond else found
