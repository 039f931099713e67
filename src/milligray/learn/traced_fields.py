"""Scattered photons of positions of the tube, by a network that sees the primary beam traced."""

from collections.abc import Callable

import numpy as np

from milligray.learn.inputs.traced_position import TracedPosition, scatter_mgy, traced_position
from milligray.learn.position_superposition import FieldsOf, PositionFields
from milligray.learn.turned_scan import TurnedScan, place_of
from milligray.source.ct_source import FanField
from milligray.typing import FloatArray

Correction = Callable[[TracedPosition], FloatArray]
"""position -> logarithms of the corrections, shape (2, z, depth, lateral)"""
N_FIELDS = 2


def traced_fields(field: FanField, planes: int, correction: Correction) -> FieldsOf:
    """Collision kerma of scattered photons in water and in cortical bone, of positions.

    Parameters
    ----------
    field : FanField
        Of the scan.
    planes : int
        Of a slab.
    correction : callable
        The network.
    """

    def fields_of(turned: TurnedScan, plane: int) -> PositionFields | None:
        found = place_of(turned, plane, planes // 2)
        if found is None:
            return None
        # the whole slab, as in training: channels are relative to means over it
        whole = found.widened(turned)
        body = whole.cut(turned.body.astype(np.float32)) > 0
        traced = traced_position(
            field, whole.grid, whole.cut(turned.attenuating), body,
            isocenter_mm=turned.isocenter_mm, z_mm=found.z_mm,
        )  # fmt: skip
        if traced is None:
            return None
        traced = traced.part((slice(None), *found.place[1:]))
        return PositionFields(
            values=scatter_mgy(traced, correction(traced)), place=found.place, inside=found.inside
        )

    return fields_of
