"""CTDI of a beam without a simulation: from the response of the phantom to rays of one energy.

A ray that goes round with the tube gives the chambers a kerma that depends on its energy and on
its distance from the axis alone. So one table, made once by Monte Carlo, holds the CTDI of every
beam: any tube voltage, filter, bowtie, fan and focal distance.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from milligray.data.loader import load_csv
from milligray.errors import InputError, TableRangeError
from milligray.score.ctdi import CtdiSimulation, _measured_beam, simulate_ctdi
from milligray.source.ct_source import CtSource, FanField
from milligray.typing import FloatArray

MODEL_RELATIVE_UNCERTAINTY = 0.002
"""Of CTDI_w from the table against a simulation of the beam itself; see `ctdi_from_response`."""
ENERGY_SHARE_BELOW = 1e-3
FAN_PARTS = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomResponse:
    """Response of a CTDI phantom.

    Parameters
    ----------
    height_mm : ndarray, shape (2,) [mm]
        Heights of the beam at the axis for which it was simulated.
    edges_mm : ndarray, shape (n_rays + 1,) [mm]
        Bins of the distance of a ray from the axis; farther ones miss the phantom.
    energy_kev : ndarray, shape (n_energy,) [keV]
    center_mgy_mm, periphery_mgy_mm, deviation_mgy_mm : ndarray, shape (2, n_rays, n_energy) \
[mGy mm per photon]
        Kerma in the chamber's air x 100 mm, and the standard deviation of center / 3 +
        2 periphery / 3.
    histories : int
    """

    height_mm: FloatArray
    edges_mm: FloatArray
    energy_kev: FloatArray
    center_mgy_mm: FloatArray
    periphery_mgy_mm: FloatArray
    deviation_mgy_mm: FloatArray
    histories: int


def ctdi_of_beam(
    source: CtSource,
    phantom_diameter_mm: int,
    *,
    prefer: Literal["table", "simulation"] = "table",
    threads: int | None = None,
    device: str = "cpu",
) -> tuple[CtdiSimulation, str]:
    """CTDI_w per photon, from the table of responses, or simulated.

    Parameters
    ----------
    source : CtSource
    phantom_diameter_mm : {160, 320}
    prefer : {"table", "simulation"}
        A beam that the table does not hold is simulated in any case.

    Returns
    -------
    CtdiSimulation
    basis : str
        A sentence for the report.
    """
    if prefer == "table":
        try:
            return (
                ctdi_from_response(source, phantom_diameter_mm),
                "CTDI from the table of phantom responses (data/ctdi), not simulated for this beam",
            )
        except TableRangeError as error:
            why = f"; the table of phantom responses does not hold it: {error}"
    else:
        why = ""
    ctdi = simulate_ctdi(source, phantom_diameter_mm, threads=threads, device=device)
    return ctdi, f"CTDI simulated for this beam{why}"


def ctdi_from_response(source: CtSource, phantom_diameter_mm: int) -> CtdiSimulation:
    """CTDI_w per photon of the source's beam, from the table of phantom responses.

    Parameters
    ----------
    source : CtSource
        Only its beam counts, as in `milligray.score.ctdi.simulate_ctdi`.
    phantom_diameter_mm : {160, 320}

    Returns
    -------
    CtdiSimulation
        `relative_uncertainty` is that of the table's statistics and of its model together;
        `histories` is the number behind the whole table of this phantom.

    Raises
    ------
    TableRangeError
        If more than 0.1 % of the photons have an energy outside the table, or the beam is higher
        than simulated.

    Notes
    -----
    ``CTDI_100 collimation = sum_rays sum_E p(ray, E) r(ray, E)``, with the share p of the photons
    behind the bowtie and the response r (kerma of the chamber x 100 mm). A ray's distance from the
    axis is ``R y / sqrt(R^2 + y^2)`` at the lateral place y on the plane of the axis. Between the
    energies r is a cubic spline; with the height h of the beam it goes as ``a - b h^2``, as the
    scatter that leaves the 100 mm chamber at its ends does.
    Left out: the slant of rays along z and the growth of the beam's height from the near to the far
    side. Against simulations of the library's beams the ratio is 1 within 0.2 %
    (``docs/methods/absolute-scale.md``).

    Examples
    --------
    >>> from milligray.score.ctdi_response import phantom_response
    >>> response = phantom_response(160)
    >>> bool(np.all(response.periphery_mgy_mm[:, -1] < response.periphery_mgy_mm[:, 0].max()))
    True
    """
    beam, to_nominal = _measured_beam(source)
    response = phantom_response(phantom_diameter_mm)
    share = _share_of_cells(beam.field, response)
    height2 = response.height_mm**2
    if beam.field.height_mm > 1.2 * response.height_mm[1]:
        raise TableRangeError(
            f"the beam is {beam.field.height_mm:g} mm high, the table ends at"
            f" {response.height_mm[1]:g} mm"
        )
    upper = (beam.field.height_mm**2 - height2[0]) / (height2[1] - height2[0])
    of_height = np.array([1.0 - upper, upper])
    weights = of_height[:, None, None] * share
    to_ctdi = to_nominal / beam.collimation_mm
    center = float((weights * response.center_mgy_mm).sum()) * to_ctdi
    periphery = float((weights * response.periphery_mgy_mm).sum()) * to_ctdi
    weighted = (center + 2.0 * periphery) / 3.0
    if not weighted > 0:
        raise InputError("no photon of this beam reaches the chambers of the CTDI phantom")
    # both heights share their random numbers, so their errors are added before squaring
    errors = (np.abs(weights) * response.deviation_mgy_mm).sum(axis=0)
    statistics = float(np.sqrt((errors**2).sum())) * to_ctdi / weighted
    return CtdiSimulation(
        phantom_diameter_mm=phantom_diameter_mm,
        center_mgy=center,
        periphery_mgy=periphery,
        weighted_mgy=weighted,
        relative_uncertainty=float(np.hypot(statistics, MODEL_RELATIVE_UNCERTAINTY)),
        histories=response.histories,
    )


def _share_of_cells(field: FanField, response: PhantomResponse) -> FloatArray:
    """Weights of the cells of the table for one photon of the beam, shape (n_rays, n_energy)."""
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 - slow to import

    photons = field.photons()
    photons = photons / photons.sum()
    n_fan = photons.shape[0]
    part = (np.arange(n_fan * FAN_PARTS) + 0.5) / (n_fan * FAN_PARTS)
    lateral = field.width_mm * (part - 0.5)
    radius = field.focal_radius_mm
    distance = radius * np.abs(lateral) / np.sqrt(radius**2 + lateral**2)
    n_rays = response.edges_mm.size - 1
    ray = np.searchsorted(response.edges_mm, distance, side="right") - 1
    fan = np.arange(part.size) // FAN_PARTS
    hits = ray < n_rays
    to_ray = np.zeros((n_rays, n_fan))
    np.add.at(to_ray, (ray[hits], fan[hits]), 1.0 / FAN_PARTS)
    energy = field.spectrum.centers_kev
    known = (energy >= response.energy_kev[0]) & (energy <= response.energy_kev[-1])
    outside = float(photons[:, ~known].sum())
    if outside > ENERGY_SHARE_BELOW:
        raise TableRangeError(
            f"{100 * outside:.2g} % of the photons lie outside {response.energy_kev[0]:g} to"
            f" {response.energy_kev[-1]:g} keV"
        )
    to_energy = CubicSpline(response.energy_kev, np.eye(response.energy_kev.size))(energy[known])
    return np.asarray(to_ray @ photons[:, known] @ to_energy)


@lru_cache(maxsize=2)
def phantom_response(phantom_diameter_mm: int) -> PhantomResponse:
    """Response of a CTDI phantom, from ``data/ctdi/response.csv``."""
    rows = [
        row for row in load_csv("ctdi/response.csv")
        if int(row["phantom_diameter_mm"]) == phantom_diameter_mm
    ]  # fmt: skip
    if not rows:
        raise InputError(f"the CTDI phantom has 160 or 320 mm, not {phantom_diameter_mm}")
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    height, low = np.unique(columns["height_mm"]), np.unique(columns["low_mm"])
    energy = np.unique(columns["energy_kev"])
    shape = (height.size, low.size, energy.size)
    center = columns["center_mgy_mm"].reshape(shape)
    periphery = columns["periphery_mgy_mm"].reshape(shape)
    weighted = (center + 2.0 * periphery) / 3.0
    return PhantomResponse(
        height_mm=height,
        edges_mm=np.append(low, columns["high_mm"].max()),
        energy_kev=energy,
        center_mgy_mm=center,
        periphery_mgy_mm=periphery,
        deviation_mgy_mm=weighted * columns["relative_uncertainty"].reshape(shape),
        histories=int(columns["histories"].sum()),
    )
