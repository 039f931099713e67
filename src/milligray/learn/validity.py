"""Whether a network may be believed for a scan: facts before it runs, inputs when it runs."""

from typing import TYPE_CHECKING

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.domain import InputDomain, Verdict, fit_domain

if TYPE_CHECKING:
    from milligray.learn.scan import Scan

__all__ = [
    "InputDomain",
    "Verdict",
    "check_validity",
    "fit_domain",
    "refuse",
    "scan_facts",
]
_RELATIVE_SLACK = 1e-3

Fact = float | str | None
"""None: not known."""


def check_validity(card: ModelCard, **facts: Fact) -> tuple[str, ...]:
    """Compare what is known of a scan with what a network was made for.

    Parameters
    ----------
    card : ModelCard
    **facts : float or str or None
        E.g. ``tube_voltage_kv=120.0, body_region="head_neck"``; see `scan_facts`.

    Returns
    -------
    tuple of str
        A sentence for every limit that does not hold, or of which nothing is known; () is good.

    Notes
    -----
    Numbers of a list agree within 0.1 %. Facts of which the card says nothing are not judged.
    """
    found = []
    limits = card.validity
    for fact, values in limits.allowed.items():
        given = facts.get(fact)
        told = ", ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in values)
        if given is None:
            found.append(f"{fact} is not known; {card.name} is made for {told}")
        elif not any(_agree(given, value) for value in values):
            shown = f"{given:g}" if isinstance(given, int | float) else repr(given)
            found.append(f"{fact} is {shown}; {card.name} is made for {told}")
    for fact, (low, high) in limits.ranges.items():
        given = facts.get(fact)
        slack = _RELATIVE_SLACK * max(abs(low), abs(high))
        if not isinstance(given, int | float):
            found.append(f"{fact} is not known; {card.name} is made for {low:g} to {high:g}")
        elif not low - slack <= given <= high + slack:
            found.append(f"{fact} is {given:g}; {card.name} is made for {low:g} to {high:g}")
    return tuple(found)


def scan_facts(scan: "Scan") -> dict[str, Fact]:
    """Facts of a scan by which cards may limit a network.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    dict
        ``tube_voltage_kv``, ``scanner``, ``bowtie``, ``pitch``, ``collimation_mm``,
        ``ctdi_vol_mgy``, ``phantom_diameter_mm``, ``half_value_layer_mm_al``, ``scan_length_mm``,
        ``spacing_mm`` (of the CT's slices), ``pixel_size_mm`` (of the CT), ``voxel_size_mm`` (of
        the transport grid, its largest), ``water_equivalent_diameter_mm`` (median).
    """
    protocol, ct = scan.protocol, scan.patient.ct
    low, high = scan.range_mm
    return {
        "tube_voltage_kv": protocol.tube_voltage_kv,
        "scanner": scan.scanner.name,
        "bowtie": scan.bowtie,
        "pitch": protocol.pitch,
        "collimation_mm": protocol.collimation_mm,
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy,
        "phantom_diameter_mm": protocol.phantom_diameter_mm,
        "half_value_layer_mm_al": scan.source.field.spectrum.half_value_layer_mm_al,
        "scan_length_mm": high - low,
        "spacing_mm": ct.grid.spacing_mm[0] if ct is not None else None,
        "pixel_size_mm": ct.grid.spacing_mm[2] if ct is not None else None,
        "voxel_size_mm": max(scan.patient.grid.spacing_mm),
        "water_equivalent_diameter_mm": float(np.median(scan.diameter_mm)),
    }


def refuse(network: str, reasons: tuple[str, ...], *, beyond_validity: bool = False) -> None:
    """Raise InputError if there are reasons not to use a network, unless asked to go on."""
    if reasons and not beyond_validity:
        raise InputError(
            f"{network} gives no dose here: {'; '.join(reasons)}. Use Monte Carlo or another"
            " network; --force (beyond_validity=True) goes on all the same"
        )


def _agree(given: float | str, value: float | str) -> bool:
    if isinstance(given, str) or isinstance(value, str):
        return given == value
    return abs(given - value) <= _RELATIVE_SLACK * abs(value)
