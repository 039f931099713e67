"""Which progeny decay with a parent, and how often (branching by `radioactivedecay`)."""

from functools import lru_cache
from typing import Any

from milligray.source.nuclide import Progeny

LONGEST_RATIO = 10.0
"""Progeny with a half-life beyond this multiple of their parent's are left out."""
LONGEST_HALF_LIFE_S = 100.0 * 86400.0
"""Progeny that live longer than this are left out."""
MOVING_HALF_LIFE_S = 60.0
"""Progeny that live longer than this may decay somewhere else than their parent; noted."""
UNKNOWN_SHARE = 1e-3
"""Decays to progeny that ICRP 107 does not name; noted beyond this share."""
_NEGLIGIBLE = 1e-6
"""Progeny with fewer decays per decay are not followed."""


@lru_cache(maxsize=32)
def follow_chain(name: str) -> tuple[tuple[Progeny, ...], tuple[str, ...]]:
    """Progeny whose decays are counted with those of the parent.

    Parameters
    ----------
    name : str
        As in ICRP 107 ("Ac-225").

    Returns
    -------
    tuple of Progeny
        In order of the chain, each once.
    tuple of str
        Notes: what was left out, what may move away.

    Notes
    -----
    Over all time, ``decays_i = sum_j branching_ji decays_j`` with ``decays_parent = 1``: each atom
    formed decays in the end. The sum does not go beyond a nuclide that is left out: one with a
    half-life beyond 10 times the parent's or beyond 100 days (Tc-99 after Tc-99m, Te-123 after
    I-123). All decays are placed where the parent decayed, which is wrong for what has time to
    move (Bi-213 after Ac-225, radon and xenon); such progeny are noted.

    References
    ----------
    Branching: ICRP Publication 107 (2008) as read by radioactivedecay (Malins, Lemoine, J Open
    Source Softw 7 (2022) 3318)
    """
    import radioactivedecay  # noqa: PLC0415 - takes a second to import

    parent_s = _half_life_s(radioactivedecay, name)
    decays = {name: 1.0}
    order = _ordered(radioactivedecay, name, parent_s)
    left_out: dict[str, float] = {}
    for member in order:
        for child, branching in _branches(radioactivedecay, member):
            reached = decays[member] * branching
            if child in order:
                decays[child] = decays.get(child, 0.0) + reached
            elif reached > _NEGLIGIBLE and _half_life_s(radioactivedecay, child) < float("inf"):
                left_out[child] = left_out.get(child, 0.0) + reached
    progeny = tuple(
        Progeny(
            name=member,
            decays_per_decay=decays[member],
            half_life_s=_half_life_s(radioactivedecay, member),
        )
        for member in order[1:]
        if decays[member] > _NEGLIGIBLE
    )
    notes = [_moving_note(name, p) for p in progeny if p.half_life_s > MOVING_HALF_LIFE_S]
    notes += [
        f"{child} from {name} ({100 * share:.3g} % of decays; half-life"
        f" {_readable(_half_life_s(radioactivedecay, child))}) and what follows it are left out"
        for child, share in left_out.items()
    ]
    for member in order:
        missing = decays.get(member, 0.0) * (1.0 - _known_share(radioactivedecay, member))
        if missing > UNKNOWN_SHARE:
            notes.append(
                f"ICRP 107 does not say what {100 * missing:.2g} % of the decays of {name} become"
            )
    return progeny, tuple(notes)


def _ordered(rd: Any, name: str, parent_s: float) -> list[str]:  # noqa: ANN401 - the module
    """Followed members of the chain, each after all its own parents."""
    limit = min(LONGEST_RATIO * parent_s, LONGEST_HALF_LIFE_S)
    done: list[str] = []

    def visit(member: str) -> None:
        for child, _ in _branches(rd, member):
            if child not in done and _half_life_s(rd, child) <= limit:
                visit(child)
        done.append(member)

    visit(name)
    return done[::-1]


def _branches(rd: Any, name: str) -> list[tuple[str, float]]:  # noqa: ANN401 - the module
    nuclide = rd.Nuclide(name)
    pairs = zip(nuclide.progeny(), nuclide.branching_fractions(), strict=True)
    return [(child, float(share)) for child, share in pairs if child != "SF"]


def _known_share(rd: Any, name: str) -> float:  # noqa: ANN401 - the module
    return float(sum(rd.Nuclide(name).branching_fractions()))


def _half_life_s(rd: Any, name: str) -> float:  # noqa: ANN401 - the module
    return float(rd.Nuclide(name).half_life("s"))


def _moving_note(parent: str, progeny: Progeny) -> str:
    gas = " a noble gas," if progeny.name.startswith(("Rn-", "Xe-", "Kr-")) else ""
    return (
        f"{progeny.name} ({progeny.decays_per_decay:.3g} per decay of {parent},{gas} half-life"
        f" {_readable(progeny.half_life_s)}) is counted where {parent} decays; it may move away"
    )


def _readable(seconds: float) -> str:
    for unit, size in (("y", 365.2422 * 86400.0), ("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size or (unit == "min" and seconds >= size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
