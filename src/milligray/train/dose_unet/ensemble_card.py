"""Card of a dose U-Net ensemble, and its calibration on validation patients."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from milligray.learn.card import ArraySpec, ModelCard, Validity
from milligray.learn.inputs.dose_unet_inputs import (
    BLUR_MM,
    CHANNELS,
    REFERENCE_HVL_MM_AL,
    TISSUE_KNOTS,
)
from milligray.learn.network import open_network
from milligray.train.card_of_fit import common_fields
from milligray.train.dose_unet.organs import (
    SUM,
    OrganResult,
    case_maps,
    organ_results,
    single_organs,
    temperature_of,
)
from milligray.train.dose_unet.patches import DoseCase
from milligray.train.dose_unet.samples import Prepared
from milligray.train.fit import Fitted
from milligray.train.output import training_document
from milligray.train.settings import FitSettings

SYSTEM = "dose-unet"
NAME = "dose-unet-head-neck"
REFERENCES = (
    "Ronneberger O, Fischer P, Brox T. U-Net. MICCAI 2015, LNCS 9351, 234-241",
    "Lakshminarayanan B, Pritzel A, Blundell C. Deep ensembles. NeurIPS 30 (2017) 6402-6413",
    "Kendall A, Gal Y. What uncertainties do we need? NeurIPS 30 (2017) 5574-5584",
)


def make_card(
    prepared: Prepared,
    target: Path,
    sets: Sequence[Path],
    settings: FitSettings,
    options: Mapping[str, str],
    fits: Mapping[str, Fitted],
) -> ModelCard:
    """Card of the networks in a folder, not yet calibrated."""
    fields = common_fields(target, SYSTEM)
    image = ("batch", "z", "y", "x")
    cases = {"train": prepared.train, "validation": prepared.validation}
    learnt = (*prepared.train, *prepared.validation)
    kv = sorted({case.tube_voltage_kv for case in learnt})
    return ModelCard(
        **fields, members=tuple(sorted(fields["files"])),
        title="CT dose map with its uncertainty: ensemble of 3-D U-Nets",
        inputs=(
            ArraySpec(
                name="channels", shape=("batch", len(CHANNELS), "z", "y", "x"), unit="",
                description=f"cubes of 4 mm: {', '.join(CHANNELS)}",
            ),
            ArraySpec(
                name="guess", shape=image, unit="", description="first guess of dose over scale"
            ),
        ),
        outputs=(
            ArraySpec(name="dose", shape=image, unit="", description="dose over scale"),
            ArraySpec(
                name="log_variance", shape=image, unit="",
                description="logarithm of its variance (aleatoric)",
            ),
        ),
        normalization={
            "map": prepared.which, "guess_weights": prepared.guess.weights,
            "log_tissue": prepared.guess.log_tissue, "tissue_knots": TISSUE_KNOTS,
            "blur_mm": BLUR_MM, "reference_hvl_mm_al": REFERENCE_HVL_MM_AL,
            "tile": int(options.get("tile", "32")),
        },
        validity=Validity(
            allowed={"body_region": (options.get("region", "head_neck"),)},
            ranges={"tube_voltage_kv": (kv[0], kv[-1]), "pixel_size_mm": (0.3, 6.0)},
            limits=(
                "one patient, one beam quality, tube current modulated along z only",
                "the start angle of a helix is averaged over",
                "voxels beyond 40 mm from the beam have no dose",
            ),
        ),
        domain=prepared.domain,
        data={
            "sets": [path.name for path in sets],
            "samples": {split: len(one) for split, one in cases.items()},
            "synthetic samples": {
                split: sum(case.is_synthetic for case in one) for split, one in cases.items()
            },
            "patients": {
                split: sorted({case.patient for case in one}) for split, one in cases.items()
            },
        },
        training=training_document(
            settings, {name: one.document() for name, one in fits.items()},
            options={k: v for k, v in options.items() if k != "cache"},
            is_finished=all(one.is_finished for one in fits.values()),
        ),
        references=REFERENCES,
    )  # fmt: skip


def calibrated(card: ModelCard, folder: Path, validation: Sequence[DoseCase]) -> ModelCard:
    """Card with the temperature of the validation patients' organs, and their errors."""
    network = open_network(folder)
    tile = int(card.normalization["tile"])
    results = [
        row for case in validation for row in organ_results(case, case_maps(case, network, tile))
    ]
    return card_with_temperatures(card, results)


def card_with_temperatures(card: ModelCard, results: Sequence[OrganResult]) -> ModelCard:
    """Card with the temperatures that organs of validation patients ask for."""
    organs = single_organs(list(results))
    errors = np.array([row.relative_error for row in organs])
    summed = [row for row in results if row.organ == SUM]
    sums = np.array([row.relative_error for row in summed])
    table = {
        "organs": len(organs),
        "mean_absolute_relative_error": float(np.abs(errors).mean()),
        "median_absolute_relative_error": float(np.median(np.abs(errors))),
        "bias": float(errors.mean()),
        "summed_dose_rms_relative_error": float(np.sqrt((sums**2).mean())),
    }
    return replace(
        card, metrics={"validation organs": [table]},
        normalization=dict(card.normalization) | {
            "temperature": temperature_of(organs), "sum_temperature": temperature_of(summed),
        },
    )  # fmt: skip
