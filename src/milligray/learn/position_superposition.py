"""A scan as the sum of positions of the tube, each seen from its own side."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.position_channels import first_guess
from milligray.learn.scatter_tail import add_tails
from milligray.learn.turned_back import turned_back
from milligray.learn.turned_scan import (
    CylinderInSlab,
    SeenPosition,
    TurnedScan,
    see_position,
    turn_scan,
)
from milligray.patient.patient import Patient
from milligray.source.ct_source import CtSource
from milligray.typing import FloatArray
from milligray.volume import Grid

LogRatio = Callable[[SeenPosition], FloatArray]
"""position -> ln(dose / first guess), shape (z, depth, lateral)"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PositionFields:
    """What one position of the tube does to the patient.

    Parameters
    ----------
    values : ndarray, shape (n_fields, z, depth, lateral)
        Dose, or kermas; per photon.
    place : (slice, slice, slice)
        In the turned scan; along z only the planes of the image.
    inside : slice
        Planes of `values` that lie in the image.
    """

    values: FloatArray
    place: tuple[slice, slice, slice]
    inside: slice


FieldsOf = Callable[[TurnedScan, int], PositionFields | None]
"""(turned scan, plane of the tube) -> fields; None where the beam meets nothing"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperpositionSettings:
    """How finely a helix is sampled.

    Parameters
    ----------
    angles : int
        Positions around the patient, equally spaced.
    step : int
        Planes between positions at one angle; the next angle begins a plane further.
    tail_planes : int
        Planes beyond the slab along z into which an exponential continues the scatter.
    """

    angles: int = 8
    step: int = 3
    tail_planes: int = 24

    def __post_init__(self) -> None:
        if min(self.angles, self.step) < 1 or self.tail_planes < 0:
            raise InputError("angles and step must be at least 1, tail_planes >= 0")


def cylinder_fields(cylinder: CylinderInSlab, log_ratio: LogRatio) -> FieldsOf:
    """Dose of positions from a water cylinder's: ``cylinder dose x CF x exp(log_ratio)``.

    Parameters
    ----------
    cylinder : CylinderInSlab
        Of the scan's beam.
    log_ratio : callable
        The network.
    """

    def fields_of(turned: TurnedScan, plane: int) -> PositionFields | None:
        seen = see_position(turned, cylinder, plane)
        if seen is None:
            return None
        dose = first_guess(seen.share, seen.factor) * np.exp(log_ratio(seen))
        return PositionFields(
            values=(dose * cylinder.reference_mgy)[None], place=seen.place, inside=seen.inside
        )

    return fields_of


def superpose(
    patient: Patient,
    source: CtSource,
    slab: Grid,
    fields_of: FieldsOf,
    settings: SuperpositionSettings,
    *,
    n_fields: int = 1,
    currents: FloatArray | None = None,
) -> FloatArray:
    """Mean fields of the photons of a scan, one position after another.

    Parameters
    ----------
    patient : Patient
    source : CtSource
        The scan's; its start angle is averaged over.
    slab : Grid
        `milligray.learn.inputs.slab.slab_grid` of a position.
    fields_of : callable
        `cylinder_fields`, or `milligray.learn.traced_fields`.
    settings : SuperpositionSettings
    n_fields : int
        Of `fields_of`.
    currents : ndarray, shape (n_scans, n_z_bins), optional
        Photons in the bins of the source of several scans of one path, e.g. with fixed and
        modulated current: the positions are computed once. Default: the source's own.

    Returns
    -------
    ndarray, shape (n_scans, n_fields, *patient.grid.shape), float32
        Per photon; 0 outside the body.

    Notes
    -----
    ``F(r) = sum_a sum_z w(z) f(r; z, a) / angles`` with the weights w of the tube's planes (sum
    1). The fields of a position are means over voxels along z, so positions in every plane
    (``step`` 1) have no ripple of the beam's edges; fewer have one at each angle that the next
    angles, shifted by a plane, cancel.
    """
    planes = scan_planes(patient.grid, slab.spacing_mm[0])
    rows = source.z_weights[None] if currents is None else np.atleast_2d(currents)
    weights = np.stack([plane_weights(source, planes, row) for row in rows])
    total = np.zeros((len(rows), n_fields, *patient.grid.shape), dtype=np.float64)
    half = slab.shape[0] // 2
    for number in range(settings.angles):
        # half a step off: no angle is exactly along an axis of the image
        angle = 2.0 * math.pi * (number + 0.5) / settings.angles
        turned = turn_scan(patient, slab, planes, source.isocenter_lps_mm, angle)
        sums = sum_along_z(
            turned, fields_of, weights, settings, half=half, n_fields=n_fields, first=number
        )
        total += turned_back(sums, turned, patient, angle)
    return np.where(patient.body, total / settings.angles, 0.0).astype(np.float32)


def scan_planes(grid: Grid, size_mm: float) -> FloatArray:
    """Planes a voxel apart that cover a patient's grid along z [mm], ascending."""
    z = grid.axis_centers_mm(0)
    low, high = float(z.min()), float(z.max())
    n = max(1, math.ceil((high - low) / size_mm)) + 1
    return np.asarray(0.5 * (low + high) + size_mm * (np.arange(n) - 0.5 * (n - 1)))


def plane_weights(
    source: CtSource, planes_mm: FloatArray, z_weights: FloatArray | None = None
) -> FloatArray:
    """Shares of a scan's photons by plane, with as many planes more on both sides as it needs.

    Parameters
    ----------
    source : CtSource
    planes_mm : ndarray, shape (n,) [mm]
        Of the patient, ascending, equally spaced.
    z_weights : ndarray, shape (n_z_bins,), optional
        Instead of the source's.

    Returns
    -------
    ndarray, shape (n + 2 m,)
        Photons emitted within half a plane's distance, sum 1; m planes before and after.
    """
    size = float(planes_mm[1] - planes_mm[0])
    low, high = float(source.z_bins_mm.min()), float(source.z_bins_mm.max())
    more = max(0, math.ceil((planes_mm[0] - low) / size), math.ceil((high - planes_mm[-1]) / size))
    n = planes_mm.size + 2 * more
    edges = planes_mm[0] + size * (np.arange(n + 1) - more - 0.5)
    given = source.z_weights if z_weights is None else z_weights
    weights = np.zeros(n)
    for (begin, end), one in zip(source.z_bins_mm, given / given.sum(), strict=True):
        if end - begin < 1e-9:
            weights[min(max(int((begin - edges[0]) // size), 0), n - 1)] += one
            continue
        inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin)
        weights += one * np.maximum(inside, 0.0) / (end - begin)
    return weights


def sum_along_z(
    turned: TurnedScan,
    fields_of: FieldsOf,
    weights: FloatArray,
    settings: SuperpositionSettings,
    *,
    half: int,
    n_fields: int = 1,
    first: int = 0,
) -> FloatArray:
    """Fields of the positions at one angle, weighted.

    Parameters
    ----------
    turned : TurnedScan
    fields_of : callable
    weights : ndarray, shape (n_scans, n_planes + 2 m)
        From `plane_weights`.
    settings : SuperpositionSettings
    half : int
        Planes of a slab to each side of the tube.
    n_fields : int
    first : int
        Plane, modulo the step, of the positions; the photons of a plane in between go to both
        neighbors, more to the nearer one.

    Returns
    -------
    ndarray, shape (n_scans, n_fields, *turned.grid.shape)
    """
    n, step = turned.grid.shape[0], settings.step
    more = (weights.shape[1] - n) // 2
    plane = np.arange(weights.shape[1]) - more
    low = (plane - first) // step * step + first
    total = np.zeros((weights.shape[0], n_fields, *turned.grid.shape))
    for position in range(int(low[0]), int(low[-1]) + step + 1, step):
        near = np.maximum(0.0, 1.0 - np.abs(plane - position) / step)
        share = (weights * near).sum(axis=1)
        if not share.any():
            continue
        seen = fields_of(turned, int(position))
        if seen is None:
            continue
        for m in range(n_fields):
            part = np.zeros(turned.grid.shape)
            part[seen.place] = seen.values[m, seen.inside]
            add_tails(part, turned, int(position), half, settings.tail_planes)
            total[:, m] += share[:, None, None, None] * part
    return total
