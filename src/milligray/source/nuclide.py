"""A radionuclide: half-life, what it emits per decay, and the progeny that decay with it."""

from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING, Literal

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray

if TYPE_CHECKING:
    from milligray.source.emission_data import EmissionData

Particle = Literal["photon", "electron", "positron", "alpha", "recoil"]
PARTICLES: tuple[Particle, ...] = ("photon", "electron", "positron", "alpha", "recoil")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmissionLines:
    """What is emitted of one kind of particle per decay.

    Parameters
    ----------
    particle : {"photon", "electron", "positron", "alpha", "recoil"}
    edges_kev : ndarray, shape (n, 2), float64 [keV]
        Lowest and highest kinetic energy of each entry: equal for a line, different for a bin of
        a beta spectrum, within which energies are equally likely.
    yields : ndarray, shape (n,), float64
        Particles per decay of the parent, progeny included.
    """

    particle: Particle
    edges_kev: FloatArray
    yields: FloatArray

    def __post_init__(self) -> None:
        edges = np.array(self.edges_kev, dtype=np.float64).reshape(-1, 2)
        yields = np.array(self.yields, dtype=np.float64).reshape(-1)
        if self.particle not in PARTICLES:
            raise InputError(f"particle must be one of {PARTICLES}, got {self.particle!r}")
        if edges.shape[0] != yields.size or yields.size == 0:
            raise InputError(f"{edges.shape[0]} energies but {yields.size} yields")
        if not (np.all(np.isfinite(edges)) and np.all(np.isfinite(yields))):
            raise InputError("energies and yields must be finite")
        if np.any(edges < 0) or np.any(edges[:, 1] < edges[:, 0]) or np.any(yields < 0):
            raise InputError("emissions need 0 <= low <= high energy and yields >= 0")
        for name, array in (("edges_kev", edges), ("yields", yields)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def total_yield(self) -> float:
        """Particles per decay."""
        return float(self.yields.sum())

    @property
    def energy_per_decay_kev(self) -> float:
        """Sum of yield times mean energy [keV]."""
        return float(self.yields @ self.edges_kev.mean(axis=1))

    @property
    def mean_energy_kev(self) -> float:
        """Mean energy per particle [keV]."""
        return self.energy_per_decay_kev / self.total_yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Progeny:
    """A radioactive descendant counted with its parent.

    Parameters
    ----------
    name : str
    decays_per_decay : float
        Decays of it for each decay of the parent, over all time.
    half_life_s : float [s]
    """

    name: str
    decays_per_decay: float
    half_life_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nuclide:
    """A radionuclide with its emissions.

    Parameters
    ----------
    name : str
        As in ICRP 107: "F-18", "Tc-99m".
    half_life_s : float [s]
    emissions : tuple of EmissionLines
        One for each particle that is emitted. Beta particles are bins of "electron" and
        "positron", conversion and Auger electrons lines of "electron". The annihilation photons
        (two of 511 keV for each positron) are not in "photon": the transport makes them.
    progeny : tuple of Progeny
        Those whose emissions are included.
    notes : tuple of str
        Every assumption made.
    """

    name: str
    half_life_s: float
    emissions: tuple[EmissionLines, ...]
    progeny: tuple[Progeny, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.half_life_s > 0:
            raise InputError(f"half-life of {self.name} must be > 0 s, got {self.half_life_s}")
        names = [lines.particle for lines in self.emissions]
        if len(set(names)) != len(names):
            raise InputError(f"{self.name}: one EmissionLines per particle, got {names}")

    @property
    def decay_constant_per_s(self) -> float:
        """``ln(2) / half_life_s`` [1/s]."""
        return log(2.0) / self.half_life_s

    def lines(self, particle: Particle) -> EmissionLines | None:
        """Emissions of one kind of particle, None if there are none."""
        if particle not in PARTICLES:
            raise InputError(f"particle must be one of {PARTICLES}, got {particle!r}")
        return next((lines for lines in self.emissions if lines.particle == particle), None)

    def energy_per_decay_kev(self, particle: Particle | None = None) -> float:
        """Mean energy emitted per decay [keV], of one kind of particle or of all.

        Kinetic energy only: the 2 x 511 keV of a positron's annihilation come on top.
        """
        if particle is None:
            return sum(lines.energy_per_decay_kev for lines in self.emissions)
        lines = self.lines(particle)
        return 0.0 if lines is None else lines.energy_per_decay_kev


@lru_cache(maxsize=32)
def load_nuclide(name: str, *, progeny: bool = True) -> Nuclide:
    """Half-life and emissions of a radionuclide by ICRP 107.

    Parameters
    ----------
    name : str
        "F-18", "F18", "18F", "fluorine-18", "^18^Fluorine": see
        `milligray.source.nuclide_names.canonical_name`.
    progeny : bool
        With the emissions of the progeny that decay with the parent (see
        `milligray.source.decay_chain`).

    Returns
    -------
    Nuclide

    Raises
    ------
    InputError
        If the nuclide is unknown (the message offers near names), or emits neutrons or fission
        fragments, which are not computed.

    References
    ----------
    ICRP Publication 107, Nuclear Decay Data for Dosimetric Calculations, Ann. ICRP 38(3), 2008

    Examples
    --------
    >>> from milligray.source.nuclide import load_nuclide
    >>> fluorine = load_nuclide("18F")
    >>> fluorine.name, round(fluorine.half_life_s)
    ('F-18', 6586)
    >>> round(fluorine.lines("positron").mean_energy_kev)
    250
    """
    from milligray.source.decay_chain import follow_chain  # noqa: PLC0415 - needs this module
    from milligray.source.emission_data import read_emissions  # noqa: PLC0415
    from milligray.source.nuclide_names import canonical_name  # noqa: PLC0415

    key = canonical_name(name)
    own = read_emissions(key)
    followed, notes = follow_chain(key) if progeny else ((), ())
    if not progeny:
        notes = ("emissions of progeny left out as asked",)
    parts = [(1.0, own)]
    notes = (*own.notes, *notes)
    for member in followed:
        emitted = read_emissions(member.name)
        parts.append((member.decays_per_decay, emitted))
        notes = (*notes, *emitted.notes)
    return Nuclide(
        name=key,
        half_life_s=own.half_life_s,
        emissions=_merged(parts),
        progeny=followed,
        notes=notes,
    )


def _merged(parts: list[tuple[float, "EmissionData"]]) -> tuple[EmissionLines, ...]:
    """Emissions of parent and progeny, one `EmissionLines` per particle."""
    merged = []
    for particle in PARTICLES:
        found = [
            (decays, lines)
            for decays, data in parts
            for lines in data.emissions
            if lines.particle == particle
        ]
        if found:
            merged.append(
                EmissionLines(
                    particle=particle,
                    edges_kev=np.concatenate([lines.edges_kev for _, lines in found]),
                    yields=np.concatenate([decays * lines.yields for decays, lines in found]),
                )
            )
    return tuple(merged)
