"""Partial-volume effect: how much of a small object's activity an image still shows in it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import FormatError, InputError
from milligray.typing import BoolArray, FloatArray

_FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
_NODES = 400


def sphere_recovery(volume_ml: float, fwhm_mm: float) -> float:
    """Recovery coefficient of a uniform sphere in a cold background, for a Gaussian resolution.

    Parameters
    ----------
    volume_ml : float [mL]
    fwhm_mm : float [mm]
        Of the image's point-spread function, filter included.

    Returns
    -------
    float
        Mean activity that the image shows within the true outline / true mean, 0-1.

    Notes
    -----
    ``RC = integral_0^2R p(d) q(d) dd``: a point of the sphere is displaced by d with the
    probability density ``p(d) = sqrt(2/pi) d^2/s^3 exp(-d^2 / 2 s^2)`` (Maxwell,
    s = FWHM / 2.355), and stays within the sphere with ``q(d) = 1 - 3d/(4R) + d^3/(16 R^3)``
    (overlap of a sphere with itself shifted). Exact for this model; real scanners, iterative
    reconstruction and warm surroundings differ: an estimate for a note, not a correction.

    Examples
    --------
    >>> [round(sphere_recovery(v, 8.0), 2) for v in (1.0, 10.0, 100.0, 1000.0)]
    [0.41, 0.7, 0.86, 0.93]
    """
    if not volume_ml > 0 or not fwhm_mm >= 0:
        raise InputError(f"volume_ml must be > 0 and fwhm_mm >= 0, got {volume_ml}, {fwhm_mm}")
    if fwhm_mm == 0:
        return 1.0
    radius = float(np.cbrt(volume_ml * 1000.0 * 3.0 / (4.0 * np.pi)))
    sigma = fwhm_mm / _FWHM_PER_SIGMA
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    top = min(2.0 * radius, 12.0 * sigma)
    d = 0.5 * top * (nodes + 1.0)
    density = np.sqrt(2.0 / np.pi) * d**2 / sigma**3 * np.exp(-0.5 * (d / sigma) ** 2)
    stays = 1.0 - 0.75 * d / radius + (d / radius) ** 3 / 16.0
    return float(0.5 * top * np.sum(weights * density * stays))


def partial_volume_note(volumes_ml: dict[str, float], fwhm_mm: float) -> str:
    """One sentence on what the image's resolution does to regions, taken as spheres."""
    listed = ", ".join(
        f"{name} ({volume:.3g} mL) {sphere_recovery(volume, fwhm_mm):.2f}"
        for name, volume in sorted(volumes_ml.items(), key=lambda pair: pair[1])
    )
    return (
        f"partial volume, not corrected: with a resolution of {fwhm_mm:g} mm spheres of these"
        f" volumes would show of their activity: {listed}"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecoveryCurve:
    """Measured recovery coefficients by volume.

    Parameters
    ----------
    volume_ml : ndarray, shape (n,) [mL]
        Ascending.
    recovery : ndarray, shape (n,)
        0-1.2.
    relative_uncertainty : float or None
        k = 1.
    name : str
    """

    volume_ml: FloatArray
    recovery: FloatArray
    relative_uncertainty: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        volume = np.array(self.volume_ml, dtype=np.float64)
        recovery = np.array(self.recovery, dtype=np.float64)
        if volume.ndim != 1 or volume.size < 2 or volume.shape != recovery.shape:
            raise InputError("a recovery curve needs at least two volumes and as many coefficients")
        if np.any(np.diff(volume) <= 0) or volume[0] <= 0:
            raise InputError("the volumes of a recovery curve must be > 0 and ascend")
        if not np.all((recovery > 0.05) & (recovery <= 1.2)):
            raise InputError("recovery coefficients must be between 0.05 and 1.2")
        for name, array in (("volume_ml", volume), ("recovery", recovery)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def at(self, volume_ml: float) -> float:
        """Coefficient of a volume, linear in its logarithm; never extrapolated below.

        Raises
        ------
        InputError
            If the volume is smaller than the smallest that was measured.
        """
        if volume_ml < self.volume_ml[0] * (1.0 - 1e-6):
            raise InputError(
                f"{volume_ml:.3g} mL is smaller than the smallest measured volume"
                f" ({self.volume_ml[0]:g} mL) of {self.name or 'the recovery curve'}"
            )
        return float(np.interp(np.log(volume_ml), np.log(self.volume_ml), self.recovery))


def read_recovery_curve(path: str | Path) -> RecoveryCurve:
    """Read recovery coefficients from a TOML file.

    Parameters
    ----------
    path : str or Path
        ``volume_ml = [...]``, ``recovery = [...]``, optionally ``relative_uncertainty``, ``name``.
    """
    path = Path(path)
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"recovery file {path} does not exist") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormatError(f"recovery file {path.name} is not valid TOML: {error}") from error
    unknown = set(content) - {"volume_ml", "recovery", "relative_uncertainty", "name"}
    if unknown:
        raise InputError(f"{path.name}: unknown key {min(unknown)!r}")
    for key in ("volume_ml", "recovery"):
        values = content.get(key)
        if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
            raise InputError(f"{path.name}: {key} must be a list of numbers")
    return RecoveryCurve(
        volume_ml=np.array(content["volume_ml"], dtype=np.float64),
        recovery=np.array(content["recovery"], dtype=np.float64),
        relative_uncertainty=content.get("relative_uncertainty"),
        name=str(content.get("name", path.name)),
    )


def recovered(
    activity_mbq: FloatArray, region: BoolArray, volume_ml: float, curve: RecoveryCurve
) -> tuple[FloatArray, str]:
    """Activity with one region divided by its recovery coefficient, and a note.

    The activity around the region is left: in all there is more than the image showed.
    """
    coefficient = curve.at(volume_ml)
    out = np.array(activity_mbq, dtype=np.float64)
    out[region] /= coefficient
    gained = float(out.sum() - np.sum(activity_mbq, dtype=np.float64))
    return out, (
        f"region of {volume_ml:.3g} mL divided by its recovery coefficient {coefficient:.3f}"
        f" ({curve.name}): {gained:.3g} MBq more"
    )
