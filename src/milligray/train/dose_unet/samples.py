"""Which samples a dose U-Net learns from: real and synthetic patients in a given share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.dataset.storage import read_document
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.learn.domain import InputDomain, fit_domain
from milligray.learn.inputs.dose_unet_inputs import MAPS, GuessOptions, MapName
from milligray.train.dose_unet.guess import fit_guess
from milligray.train.dose_unet.patches import DoseCase, read_case, sample_files

_LEAST_FOR_DOMAIN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile:
    """A sample on disk, and what it is chosen by."""

    path: Path
    patient: str
    split: str
    is_synthetic: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Samples of a training, read and normalized."""

    which: MapName
    guess: GuessOptions
    train: tuple[DoseCase, ...]
    validation: tuple[DoseCase, ...]
    domain: InputDomain | None


def list_samples(sets: Sequence[Path]) -> list[SampleFile]:
    """Finished samples of sets with patient and split."""
    found = []
    for path in sample_files(sets):
        about = read_document(path)["attributes"]
        found.append(SampleFile(
            path=path, patient=about["patient"], split=about["split"],
            is_synthetic=about["kind_of_anatomy"] == "synthetic",
        ))  # fmt: skip
    return found


def choose_samples(samples: Sequence[SampleFile], real_share: float) -> list[SampleFile]:
    """Real and synthetic samples in a given share.

    Parameters
    ----------
    samples : sequence of SampleFile
        Of one split.
    real_share : float
        1: the real ones only; 0: the synthetic ones only; else all synthetic ones, and as many
        real patients, in an order fixed by their names, as bring the share nearest to it.

    Notes
    -----
    A training takes equally many patches from any choice, so that shares are compared at equal
    cost.
    """
    if not 0.0 <= real_share <= 1.0:
        raise InputError(f"real_share must be in 0-1, got {real_share:g}")
    real = [one for one in samples if not one.is_synthetic]
    synthetic = [one for one in samples if one.is_synthetic]
    if real_share == 1.0:
        return real
    wanted = real_share / (1.0 - real_share) * len(synthetic)
    patients = sorted({one.patient for one in real}, key=lambda name: fraction("real share", name))
    chosen: list[SampleFile] = []
    for patient in patients:
        more = [one for one in real if one.patient == patient]
        if len(chosen) + 0.5 * len(more) > wanted:
            break
        chosen += more
    return [*chosen, *synthetic]


def prepare(sets: Sequence[Path], options: Mapping[str, str], cache: Path) -> Prepared:
    """Choose and read the samples, and fit the guess.

    Parameters
    ----------
    sets : sequence of Path
    options : mapping
        Of the recipe: ``map``, ``real_share``.
    cache : Path
        For maps that the sets do not store.

    Notes
    -----
    Validation patients are real ones as soon as any training patient is real.
    """
    names: dict[str, MapName] = {name: name for name in MAPS}
    which = names.get(options.get("map", "fitted"))
    if which is None:
        raise InputError(f"map must be one of {', '.join(MAPS)}, got {options['map']!r}")
    share = float(options.get("real_share", "1"))
    samples = list_samples(sets)
    train = choose_samples([s for s in samples if s.split == "train"], share)
    held = [s for s in samples if s.split == "validation" and s.is_synthetic == (share == 0.0)]
    if not train or not held:
        raise InputError("the sets need finished samples of training and of validation patients")
    guess = fit_guess([one.path for one in train], which, cache)
    cases = [
        tuple(read_case(one.path, which, guess, cache) for one in chosen)
        for chosen in (train, held)
    ]
    return Prepared(
        which=which, guess=guess, train=cases[0], validation=cases[1],
        domain=domain_of((*cases[0], *cases[1])),
    )  # fmt: skip


def domain_of(cases: Sequence[DoseCase]) -> InputDomain | None:
    """Domain of the inputs of some samples; None if they are too few."""
    if len(cases) < _LEAST_FOR_DOMAIN or len({case.patient for case in cases}) < 2:
        return None
    return fit_domain(
        np.stack([case.features for case in cases]), cases[0].feature_names,
        groups=[case.patient for case in cases],
    )  # fmt: skip
