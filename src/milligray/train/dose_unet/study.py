"""Study of the dose U-Net on unseen patients: errors, uncertainties and their coverage."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.evaluate.coverage import wilson_interval
from milligray.learn.ensemble import EnsembleDose
from milligray.learn.inputs.dose_unet_inputs import guess_options
from milligray.learn.network import Network, open_network
from milligray.train.dose_unet.diameter_rule import (
    DiameterRow,
    fit_diameter_rule,
    read_diameter_row,
)
from milligray.train.dose_unet.organs import (
    SUM,
    OrganResult,
    case_maps,
    organ_results,
    single_organs,
)
from milligray.train.dose_unet.patches import DoseCase, read_case, sample_files
from milligray.train.dose_unet.pictures import draw_maps, draw_uncertainties
from milligray.train.dose_unet.samples import list_samples
from milligray.train.modules.unet import FIRST_LOG_VARIANCE

RULE, GUESS = "effective diameter", "first guess"
ORGANS, VOXELS, PAGE = "dose_unet_organs.csv", "dose_unet.csv", "dose_unet_tables.md"
PLACES = (("all of them", 0.99, 1.0), ("some", 0.01, 0.99), ("none", -1.0, 0.01))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a network reaches on the samples of a split; all relative, fractions.

    Parameters
    ----------
    network : str
    samples, patients, organs : int
    voxel_error : float
        Mean over samples of the mean absolute error in the body in the range, over the mean dose.
    organ_median, organ_mean, organ_rms : float
        Absolute errors of organ doses; the last one root mean square.
    stated_u2, calibrated_u2, sum_u2, observed_u2 : float
        Expanded uncertainty (k = 2) of the summed organ dose: mean of those stated by the
        ensemble, the same times the temperature of organs, times the temperature of sums, and
        twice the root mean square error.
    sum_coverage : float
        Of the summed organ dose by k = 2 with the temperature of sums.
    coverage, coverage_low, coverage_high : float
        Of organs by k = 2, as stated by the ensemble, with its Wilson interval.
    calibrated, calibrated_low, calibrated_high : float
        The same with the temperature.
    aleatoric, epistemic : float
        Mean parts (k = 1) of the summed organ dose.
    temperature : float
    """

    network: str
    samples: int
    patients: int
    organs: int
    voxel_error: float
    organ_median: float
    organ_mean: float
    organ_rms: float
    stated_u2: float
    calibrated_u2: float
    sum_u2: float
    observed_u2: float
    sum_coverage: float
    coverage: float
    coverage_low: float
    coverage_high: float
    calibrated: float
    calibrated_low: float
    calibrated_high: float
    aleatoric: float
    epistemic: float
    temperature: float


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Judge networks on the samples of a split; write tables and pictures.

    Parameters
    ----------
    data : tuple of Path
        Sets of kind dose-maps. Of those, the samples of ``split`` are judged; the training ones
        fit the rule of the effective diameter.
    out : Path
    options : mapping
        ``networks``: folders of trained networks, with commas; ``split``: test (default) or
        validation; ``cache``: folder for maps; ``tile``: instead of the card's, e.g. 0 for the
        whole volume at once.
    """
    split = options.get("split", "test")
    if split not in ("test", "validation"):
        raise InputError(f"split must be test or validation, got {split!r}")
    folders = [Path(word) for word in options.get("networks", "").split(",") if word]
    if not folders:
        raise InputError("name the networks to judge: --option networks=FOLDER,FOLDER")
    cache = Path(options["cache"]) if "cache" in options else None
    files = [s.path for s in list_samples(data) if s.split == split and not s.is_synthetic]
    if not files:
        raise InputError(f"the sets hold no real sample of {split} patients")
    out.mkdir(parents=True, exist_ok=True)
    found: list[tuple[str, list[OrganResult]]] = []
    rows: list[Row] = []
    guesses: list[OrganResult] = []
    for number, folder in enumerate(folders):
        network = open_network(folder)
        tile = int(options.get("tile", network.card.normalization["tile"]))
        results, errors = [], []
        which, guess = guess_options(network.card.normalization)
        for index, path in enumerate(files):
            case = read_case(path, which, guess, cache)
            ensemble = case_maps(case, network, tile)
            results += organ_results(case, ensemble)
            errors.append(voxel_error(case, ensemble))
            if number == 0:
                guesses += organ_results(case, first_guess_alone(case))
            if number == 0 and index == 0:
                draw_maps(case, ensemble, out / "dose_unet_maps.png")
        rows.append(summarize(network, results, errors))
        found.append((folder.name, results))
    rule = _rule(data, split)
    others = [(GUESS, guesses), (RULE, rule)]
    _write_organs([*found, *others], out / ORGANS)
    _write_rows(rows, out / VOXELS)
    draw_uncertainties(found[0][1], rows[0].temperature, out / "dose_unet_uncertainty.png")
    (out / PAGE).write_text(page(rows, found, others), encoding="utf-8")


def voxel_error(case: DoseCase, found: EnsembleDose) -> float:
    """Mean absolute error over the mean dose, in the body in the scanned range."""
    place = case.body & case.is_scanned[:, None, None]
    truth = case.dose[place] * case.scale_mgy
    return float(np.abs(found.dose[place] - truth).mean() / truth.mean())


def first_guess_alone(case: DoseCase) -> EnsembleDose:
    """What the network starts from, with the uncertainty that it starts with [mGy]."""
    dose = np.where(case.body, case.guess * np.float32(case.scale_mgy), 0.0).astype(np.float32)
    sigma = dose * np.float32(np.exp(0.5 * FIRST_LOG_VARIANCE))
    return EnsembleDose(dose=dose, aleatoric=sigma, epistemic=np.zeros_like(dose), total=sigma)


def summarize(
    network: Network, results: Sequence[OrganResult], voxel_errors: Sequence[float]
) -> Row:
    """Figures of a network."""
    factor, sum_factor = (
        float(network.card.normalization.get(key, 1.0))
        for key in ("temperature", "sum_temperature")
    )
    organs = single_organs(list(results))
    sums = [row for row in results if row.organ == SUM]
    errors = np.abs([row.relative_error for row in organs])
    scores = np.abs([row.score for row in organs])
    stated = float(np.mean([2.0 * row.total / row.dose for row in sums]))
    plain, scaled = (int((scores <= 2.0 * t).sum()) for t in (1.0, factor))
    low, high = wilson_interval(plain, len(organs))
    scaled_low, scaled_high = wilson_interval(scaled, len(organs))
    return Row(
        network=network.card.name, samples=len(voxel_errors),
        patients=len({row.patient for row in results}), organs=len(organs),
        voxel_error=float(np.mean(voxel_errors)), organ_median=float(np.median(errors)),
        organ_mean=float(errors.mean()), organ_rms=float(np.sqrt((errors**2).mean())),
        stated_u2=stated, calibrated_u2=stated * factor, sum_u2=stated * sum_factor,
        sum_coverage=float(np.mean([abs(row.score) <= 2.0 * sum_factor for row in sums])),
        observed_u2=2.0 * float(np.sqrt(np.mean([row.relative_error**2 for row in sums]))),
        coverage=plain / len(organs), coverage_low=low, coverage_high=high,
        calibrated=scaled / len(organs), calibrated_low=scaled_low, calibrated_high=scaled_high,
        aleatoric=float(np.mean([row.aleatoric / row.dose for row in sums])),
        epistemic=float(np.mean([row.epistemic / row.dose for row in sums])),
        temperature=factor,
    )  # fmt: skip


def _rule(data: tuple[Path, ...], split: str) -> list[OrganResult]:
    """Organ doses of a split's real samples by the rule fitted to the training ones."""
    train: list[DiameterRow] = []
    judged: list[DiameterRow] = []
    files = {path.stem: path for path in sample_files(data)}
    for sample in list_samples(data):
        if sample.is_synthetic or sample.split not in ("train", split):
            continue
        row = read_diameter_row(files[sample.path.stem])
        (train if sample.split == "train" else judged).append(row)
    return fit_diameter_rule(train).predict(judged) if train else []


def page(
    rows: Sequence[Row],
    found: Sequence[tuple[str, Sequence[OrganResult]]],
    others: Sequence[tuple[str, Sequence[OrganResult]]],
) -> str:
    """Tables as Markdown; of the others the errors only."""
    titles = (
        "Network", "samples (patients)", "voxels: mean error", "organs: median / mean / RMS error",
        "U(k = 2) of the summed organ dose: stated / calibrated by organs / by sums / observed",
        "coverage of k = 2, stated", "calibrated", "aleatoric / epistemic (k = 1)",
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for (name, _), row in zip(found, rows, strict=True):
        lines.append(
            f"| {name} | {row.samples} ({row.patients}) | {row.voxel_error:.1%}"
            f" | {row.organ_median:.1%} / {row.organ_mean:.1%} / {row.organ_rms:.1%}"
            f" | {row.stated_u2:.1%} / {row.calibrated_u2:.1%} / {row.sum_u2:.1%}"
            f" ({row.sum_coverage:.0%} covered) / {row.observed_u2:.1%}"
            f" | {row.coverage:.1%} ({row.coverage_low:.0%}-{row.coverage_high:.0%})"
            f" | {row.calibrated:.1%} ({row.calibrated_low:.0%}-{row.calibrated_high:.0%})"
            f" | {row.aleatoric:.1%} / {row.epistemic:.1%} |"
        )
    tables = [*found, *(one for one in others if one[1])]
    organs = sorted({row.organ for _, results in found for row in results})
    lines += [
        "", "Root mean square of the relative error (bias):", "",
        "| Organ | " + " | ".join(name for name, _ in tables) + " |",
        "|---|" + "---|" * len(tables),
    ]  # fmt: skip
    for organ in organs:
        cells = []
        for _, results in tables:
            errors = np.array([row.relative_error for row in results if row.organ == organ])
            cells.append(
                f"{np.sqrt((errors**2).mean()):.1%} ({errors.mean():+.1%})" if errors.size else "-"
            )
        lines.append(f"| {organ.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Where the organ lies: root mean square error, coverage of k = 2 (calibrated):",
        "",
    ]
    lines += [
        "| Organ's voxels in the scanned range | organs | "
        + " | ".join(name for name, _ in found)
        + " |",
        "|---|---|" + "---|" * len(found),
    ]
    for told, low, high in PLACES:
        cells, n = [], 0
        for (_, results), row in zip(found, rows, strict=True):
            here = [r for r in single_organs(list(results)) if low < r.share_scanned <= high]
            n = len(here)
            if not here:
                cells.append("-")
                continue
            rms = float(np.sqrt(np.mean([r.relative_error**2 for r in here])))
            inside = float(np.mean([abs(r.score) <= 2.0 * row.temperature for r in here]))
            cells.append(f"{rms:.1%}, {inside:.0%}")
        lines.append(f"| {told} | {n} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _write_organs(found: Sequence[tuple[str, Sequence[OrganResult]]], path: Path) -> None:
    rows = [{"network": name, **row.row()} for name, results in found for row in results]
    _write_csv(rows, path)


def _write_rows(rows: Sequence[Row], path: Path) -> None:
    _write_csv([{key: getattr(row, key) for key in Row.__slots__} for row in rows], path)


def _write_csv(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    partial.replace(path)
