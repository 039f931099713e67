"""Which of the shipped networks predicts a scan."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from milligray.errors import InputError
from milligray.learn.card import ModelCard, Validity, read_card
from milligray.learn.shelf import find_network, list_networks
from milligray.learn.validity import Fact, check_validity
from milligray.read.series import CtProtocol
from milligray.segment.catalog import canonical_name
from milligray.segment.regions import region_of_organs
from milligray.source.ct_scan import choose_scanner

PREFERENCE = ("scatter-net", "dose-unet", "deep-dose", "radiomics-fcn", "slice-mlp")
"""Systems in the order in which they are tried: those first that know the beam and its physics."""


def choose_network(
    protocol: CtProtocol,
    organ_names: Iterable[str],
    *,
    scanner: str | None = None,
    bowtie: str | None = None,
    body_region: str | None = None,
    beyond_validity: bool = False,
) -> Path:
    """Folder of the shipped network that is made for a scan.

    Parameters
    ----------
    protocol : CtProtocol
    organ_names : iterable of str
        That are labelled; () without labels.
    scanner, bowtie, body_region : str, optional
        As asked for; else by the header and by the organs.
    beyond_validity : bool
        Take the first of `PREFERENCE` if none is made for this scan.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If none ships, or none is made for this scan; the message says why for each.

    Notes
    -----
    Judged is what protocol and labels tell; the rest of a card's limits is judged with the scan
    itself, when the network is asked.
    """
    cards = sorted(
        (read_card(find_network(name)) for name in list_networks()),
        key=lambda card: (PREFERENCE.index(card.system), card.name),
    )
    if not cards:
        raise InputError(
            "no network ships with this version; name the folder of one (--model FOLDER), or"
            " compute the dose by Monte Carlo (milligray ct-dose)"
        )
    found, used, _ = choose_scanner(protocol, scanner=scanner, bowtie=bowtie)
    region = body_region or region_of_organs(canonical_name(name) for name in organ_names)
    facts: dict[str, Fact] = {
        "tube_voltage_kv": protocol.tube_voltage_kv, "scanner": found.name, "bowtie": used,
        "pitch": protocol.pitch, "collimation_mm": protocol.collimation_mm,
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy,
        "phantom_diameter_mm": protocol.phantom_diameter_mm, "body_region": region,
    }  # fmt: skip
    reasons = {
        card.name: check_validity(_limited_to(card, frozenset(facts)), **facts) for card in cards
    }
    for card in cards:
        if not reasons[card.name]:
            return find_network(card.name)
    if beyond_validity:
        return find_network(cards[0].name)
    told = "; ".join(f"{name}: {', '.join(why)}" for name, why in reasons.items())
    raise InputError(
        f"no shipped network is made for this scan ({told}). Compute it by Monte Carlo (milligray"
        " ct-dose), or name a network and --force"
    )


def _limited_to(card: ModelCard, facts: frozenset[str]) -> ModelCard:
    """Card without the limits of which nothing is known yet."""
    limits = card.validity
    return replace(
        card,
        validity=Validity(
            allowed={fact: values for fact, values in limits.allowed.items() if fact in facts},
            ranges={fact: ends for fact, ends in limits.ranges.items() if fact in facts},
        ),
    )
