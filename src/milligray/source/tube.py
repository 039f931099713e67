"""X-ray tube model: a spectrum for a tube voltage and a half-value layer."""

import contextlib
import hashlib
import logging
import os
import tempfile
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.errors import InputError
from milligray.source.spectrum import (
    AIR_TABLE_MIN_KEV,
    Spectrum,
    air_mu_en_rho_cm2_g,
    aluminum_mu_per_cm,
    solve_half_value_layer_mm_al,
)
from milligray.typing import FloatArray

_LOG = logging.getLogger(__name__)
_VOLTAGE_RANGE_KV = (60.0, 150.0)
_ANODE_RANGE_DEG = (5.0, 20.0)
_BIN_RANGE_KEV = (0.1, 2.0)
_FILTRATION_RANGE_MM_AL = (1.0, 40.0)
_TRIM = 1e-9
_CACHE_VERSION = 1


def make_spectrum(
    tube_voltage_kv: float,
    *,
    half_value_layer_mm_al: float | None = None,
    filtration_mm_al: float | None = None,
    anode_angle_deg: float = 8.0,
    bin_kev: float = 1.0,
) -> Spectrum:
    """Spectrum of a tungsten tube on the central ray.

    Parameters
    ----------
    tube_voltage_kv : float [kV]
        60 to 150.
    half_value_layer_mm_al : float, optional [mm Al]
        First half-value layer to reach by added aluminum.
    filtration_mm_al : float, optional [mm Al]
        Total aluminum filtration, 1 to 40; give either this or the half-value layer.
    anode_angle_deg : float [degree]
        5 to 20; CT tubes have 7 to 12.
    bin_kev : float [keV]
        Width of the energy bins, 0.1 to 2.

    Returns
    -------
    Spectrum
        With `half_value_layer_mm_al` and `fluence_per_cm2_mas` set.

    Raises
    ------
    InputError
        If an argument is outside its range, or the half-value layer cannot be reached; the message
        names the interval that can.

    Notes
    -----
    ``weight_i = unfiltered_i exp(-mu_i t)`` with the unfiltered spectrum of spekpy (its default
    physics, "casim": bremsstrahlung with characteristic K and L lines, target self-filtration) and
    the aluminum attenuation of xraylib; ``t`` is found by root search on the half-value layer.
    A CT tube's true filters (titanium, graphite, copper, oil) appear as aluminum of the same
    half-value layer. Photons below 10 keV are dropped: behind 1 mm of aluminum or more they carry
    less than 1e-3 of the air kerma. No ripple, no off-focal radiation, no heel effect.
    The unfiltered spectrum is kept in the cache folder, see `cache_folder`.

    References
    ----------
    :cite:`spekpy`; :cite:`nistir5632`

    Examples
    --------
    >>> from milligray.source.tube import make_spectrum
    >>> spectrum = make_spectrum(120, half_value_layer_mm_al=7.5)
    >>> bool(60 < spectrum.mean_energy_kev < 64)
    True
    """
    _check_arguments(tube_voltage_kv, half_value_layer_mm_al, filtration_mm_al)
    _check_range("anode_angle_deg", anode_angle_deg, _ANODE_RANGE_DEG)
    _check_range("bin_kev", bin_kev, _BIN_RANGE_KEV)
    edges, weights = _unfiltered(tube_voltage_kv, anode_angle_deg, bin_kev)
    centers = 0.5 * (edges[1:] + edges[:-1])
    mu = aluminum_mu_per_cm(centers)
    kerma = weights * centers * air_mu_en_rho_cm2_g(centers)
    if filtration_mm_al is None:
        assert half_value_layer_mm_al is not None  # noqa: S101 - told to the type checker
        filtration_mm_al = _solve_filtration(kerma, mu, half_value_layer_mm_al, tube_voltage_kv)
    attenuation = np.exp(-mu * filtration_mm_al * CM_PER_MM)
    hvl = solve_half_value_layer_mm_al(kerma * attenuation, mu)
    fluence = float(np.sum(weights * attenuation))
    edges, weights = _trim(edges, weights * attenuation)
    return Spectrum(
        edges_kev=edges,
        weights=weights,
        fluence_per_cm2_mas=fluence,
        name=f"{tube_voltage_kv:g} kV, {filtration_mm_al:.2f} mm Al, HVL {hvl:.2f} mm Al",
        half_value_layer_mm_al=hvl,
    )


def _check_range(name: str, value: float, allowed: tuple[float, float]) -> None:
    if not allowed[0] <= value <= allowed[1]:
        raise InputError(f"{name} must be {allowed[0]:g} to {allowed[1]:g}, got {value:g}")


def _check_arguments(kv: float, hvl: float | None, filtration: float | None) -> None:
    if not _VOLTAGE_RANGE_KV[0] <= kv <= _VOLTAGE_RANGE_KV[1]:
        raise InputError(
            f"tube_voltage_kv must be {_VOLTAGE_RANGE_KV[0]:g} to {_VOLTAGE_RANGE_KV[1]:g} kV,"
            f" got {kv:g}; the tube model is not checked outside"
        )
    if (hvl is None) == (filtration is None):
        raise InputError("give either half_value_layer_mm_al or filtration_mm_al")
    if filtration is not None:
        _check_range("filtration_mm_al", filtration, _FILTRATION_RANGE_MM_AL)


def _solve_filtration(kerma: FloatArray, mu: FloatArray, hvl: float, kv: float) -> float:
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import

    def reached(thickness_mm: float) -> float:
        return solve_half_value_layer_mm_al(kerma * np.exp(-mu * thickness_mm * CM_PER_MM), mu)

    low, high = (reached(t) for t in _FILTRATION_RANGE_MM_AL)
    if not low <= hvl <= high:
        raise InputError(
            f"half_value_layer_mm_al {hvl:g} mm cannot be reached at {kv:g} kV with"
            f" {_FILTRATION_RANGE_MM_AL[0]:g} to {_FILTRATION_RANGE_MM_AL[1]:g} mm of aluminum;"
            f" {low:.2f} to {high:.2f} mm can"
        )
    return float(brentq(lambda t: reached(t) - hvl, *_FILTRATION_RANGE_MM_AL, xtol=1e-6))


def _trim(edges: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    kept = np.flatnonzero(weights > _TRIM * weights.sum())
    first, last = int(kept[0]), int(kept[-1])
    return edges[first : last + 2], weights[first : last + 1]


def _unfiltered(kv: float, anode_deg: float, bin_kev: float) -> tuple[FloatArray, FloatArray]:
    """Unfiltered spectrum from 10 keV on: edges [keV], and photons per cm2 and mAs at 1 m."""
    key = f"{_CACHE_VERSION}|{version('spekpy')}|{kv!r}|{anode_deg!r}|{bin_kev!r}"
    name = f"tube_{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
    path = cache_folder() / name
    cached = _read_cache(path, key)
    if cached is not None:
        return cached
    edges, weights = _run_spekpy(kv, anode_deg, bin_kev)
    _write_cache(path, key, edges, weights)
    return edges, weights


def _run_spekpy(kv: float, anode_deg: float, bin_kev: float) -> tuple[FloatArray, FloatArray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spekpy's own, e.g. on newer NumPy
        import spekpy  # noqa: PLC0415 - takes a second to import

        spek = spekpy.Spek(kvp=kv, th=anode_deg, dk=bin_kev)
        center, per_kev = spek.get_spectrum(edges=False)
    center = np.asarray(center, dtype=np.float64)
    width = float(center[1] - center[0])
    edges = np.append(center - 0.5 * width, center[-1] + 0.5 * width)
    kept = int(np.searchsorted(center, AIR_TABLE_MIN_KEV))
    return edges[kept:], np.asarray(per_kev, dtype=np.float64)[kept:] * width


def cache_folder() -> Path:
    """Folder of files that can be made again: MILLIGRAY_CACHE, else ~/.cache/milligray."""
    given = os.environ.get("MILLIGRAY_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "milligray"


def _read_cache(path: Path, key: str) -> tuple[FloatArray, FloatArray] | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            stored, edges, weights = str(file["key"]), file["edges"], file["weights"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _LOG.debug("damaged cache file %s is made anew: %s", path.name, error)
        return None
    is_sound = (
        stored == key
        and edges.ndim == weights.ndim == 1
        and edges.size == weights.size + 1
        and bool(np.all(np.isfinite(edges)) and np.all(np.isfinite(weights)))
        and bool(np.all(np.diff(edges) > 0) and np.all(weights >= 0) and weights.sum() > 0)
    )
    return (edges, weights) if is_sound else None


def _write_cache(path: Path, key: str, edges: FloatArray, weights: FloatArray) -> None:
    """Write beside and rename, so that no reader meets half a file; a full disk is no error."""
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, key=np.array(key), edges=edges, weights=weights)
        Path(temporary).replace(path)
    except OSError as error:
        _LOG.debug("cache file %s could not be written: %s", path.name, error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
