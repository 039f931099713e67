"""A whole administration in a body made by hand: methods agree where they must, books balance."""

from dataclasses import replace
from math import isnan, log

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.exam import nm_reference_mird
from milligray.exam.nm_exam import NmInput, compute_nm_exam
from milligray.exam.nm_settings import NmSettings
from milligray.read.activity_series import ActivityImage
from milligray.read.series import CtSeries, LabelMap
from milligray.report.nm_tables import nm_result_document
from milligray.score.budget import combine
from milligray.score.s_values import SValueTable
from milligray.source.nuclide import load_nuclide
from milligray.source.partial_volume import RecoveryCurve
from milligray.transport.local_deposition import local_kev_per_decay
from milligray.volume import Grid, Volume

SHAPE, SPACING = (24, 26, 28), (6.0, 6.0, 6.0)
GRID = Grid.from_spacing(SHAPE, SPACING)
HOUR = 3600.0


def body() -> tuple[np.ndarray, np.ndarray]:
    """HU and labels: soft tissue with a lung and a hot lesion."""
    hu = np.full(SHAPE, -1000, dtype=np.int16)
    hu[2:-2, 3:-3, 3:-3] = 40
    labels = np.zeros(SHAPE, dtype=np.uint16)
    labels[5:-5, 8:-8, 7:13] = 1
    hu[5:-5, 8:-8, 7:13] = -750
    labels[5:-5, 8:-8, 14:24] = 2
    labels[10:14, 11:15, 17:21] = 3
    return hu, labels


HU, LABELS = body()
CT = CtSeries(volume=Volume(grid=GRID, values=HU), slice_thickness_mm=6.0, input_sha256="0" * 64)
ORGANS = LabelMap(
    volume=Volume(grid=GRID, values=LABELS),
    names={1: "lung_left", 2: "liver", 3: "lesion"}, input_sha256="1" * 64,
)  # fmt: skip


def image(hours=1.0, half_life_h=None, nuclide="Lu-177", scale=1.0):
    """Activity concentration [MBq/mL]: 0.01 in the body, ten times as much in the lesion."""
    physical = load_nuclide(nuclide).half_life_s
    rate = log(2.0) / (physical if half_life_h is None else half_life_h * HOUR)
    values = np.where(HU > -900, 0.01, 0.0)
    values[LABELS == 3] = 0.1
    return ActivityImage(
        grid=GRID, activity_mbq_ml=scale * values * np.exp(-rate * hours * HOUR),
        reference_s_after_administration=hours * HOUR, nuclide=nuclide, half_life_s=physical,
        administered_activity_mbq=200.0, modality="NM", units="Bq/mL",
        input_sha256=f"{hours}",
    )  # fmt: skip


def exam(images=None, **settings):
    given = {"kinetics": "physical", "histories": 64_000, "precision": None, "voxel_size_mm": None}
    extra = {k: settings.pop(k) for k in ("recovery",) if k in settings}
    return compute_nm_exam(
        NmInput(ct=CT, images=tuple(images or [image()]), labels=ORGANS, **extra),
        NmSettings(**(given | settings)),
    )


def doses(table):
    return {row.organ: row.mean_dose_mgy for row in table.rows}


def test_all_methods_agree_on_a_beta_emitter_in_a_large_organ():
    """Lu-177 in soft tissue: the betas stay, so every method must give nearly the same dose."""
    result = exam(compare=("msv", "ssv", "local", "mird"))
    truth = doses(result.organ_doses)
    assert set(result.compared) == {"msv", "ssv", "local", "mird", "spheres"}
    for method, table in result.compared.items():
        if method == "spheres":
            continue
        bound = 0.10 if method == "ssv" else 0.07  # water's kernel: 1 / 1.06 of the mass
        assert doses(table)["liver"] == pytest.approx(truth["liver"], rel=bound), method
    # one water kernel counts a lung as water: a quarter of its density, a quarter of its dose
    assert doses(result.compared["ssv"])["lung_left"] < 0.5 * truth["lung_left"]
    assert doses(result.compared["msv"])["lung_left"] == pytest.approx(truth["lung_left"], rel=0.12)


def test_dose_is_that_of_the_decays():
    """Local deposition, checked by hand: decays, energy per decay, mass."""
    result = exam(method="local")
    nuclide = load_nuclide("Lu-177")
    voxel_ml = 0.216
    seen = 0.1 * np.exp(-log(2) / nuclide.half_life_s * HOUR) * voxel_ml
    decays = 1e6 * seen * np.exp(log(2) / nuclide.half_life_s * HOUR) * nuclide.half_life_s / log(2)
    lesion = next(row for row in result.organ_doses.rows if row.organ == "lesion")
    per_voxel_g = lesion.mass_g / 64
    expected = decays * local_kev_per_decay(nuclide) / per_voxel_g * 1.602176634e-10
    assert lesion.mean_dose_mgy == pytest.approx(expected, rel=1e-3)


def test_dose_rate_integrates_to_the_dose():
    """With physical decay alone the rate at one hour, decayed back and integrated, is the dose."""
    result = exam()
    ((time, rate),) = result.dose_rates.items()
    decay = log(2.0) / load_nuclide("Lu-177").half_life_s
    whole = rate / HOUR * np.exp(decay * time) / decay
    inside = result.dose.dose_mgy > 0
    assert whole[inside] == pytest.approx(result.dose.dose_mgy[inside], rel=1e-3)


def test_kinetics_of_several_images_are_recovered():
    """Four images that fall with 50 h: half-life, decays and dose follow from them."""
    images = [image(h, half_life_h=50.0) for h in (4.0, 24.0, 96.0, 168.0)]
    result = exam(images, kinetics="fit", method="local", alpha_beta_gy=(("liver", 2.5),))
    lesion = next(r for r in result.kinetics if r.region == "lesion")
    assert lesion.effective_half_life_s == pytest.approx(50 * HOUR, rel=1e-3)
    total = 0.1 * 0.216 * 64 * 50 * HOUR / log(2)
    assert lesion.tia_mbq_s == pytest.approx(total, rel=5e-3)
    assert lesion.tia_coefficient_s == pytest.approx(total / 200.0, rel=5e-3)
    assert len(result.dose_rates) == 4
    (effect,) = result.effects
    # BED = D (1 + G D / (alpha/beta)), G of a rate that falls slower than repair
    mu, rate = log(2) / (1.5 * HOUR), log(2) / (50 * HOUR)
    dose_gy = doses(result.organ_doses)["liver"] * 1e-3
    assert effect.bed_mgy * 1e-3 == pytest.approx(
        dose_gy * (1 + rate / (mu + rate) * dose_gy / 2.5), rel=1e-3
    )


def test_every_organ_has_a_budget_and_the_lesion_the_larger_one():
    result = exam(method="local", resolution_mm=12.0)
    combined = {name: combine(entries) for name, entries in result.budgets.items()}
    assert set(combined) == {"lung_left", "liver", "lesion"}
    assert combined["lesion"] > combined["liver"]  # 14 mL: partial volume
    physical = next(e for e in result.budgets["liver"] if "judgement" in e.basis)
    assert physical.relative_uncertainty > 0


def test_recovery_raises_the_activity_of_small_regions_most():
    curve = RecoveryCurve(
        volume_ml=np.array([1.0, 20.0, 1000.0]), recovery=np.array([0.3, 0.7, 1.0]), name="made"
    )
    plain, mended = exam(method="local"), exam(method="local", recovery=curve)
    ratio = {k: doses(mended.organ_doses)[k] / doses(plain.organ_doses)[k]
             for k in ("liver", "lesion")}  # fmt: skip
    assert ratio["lesion"] == pytest.approx(1 / curve.at(13.8), rel=0.05)
    liver_ml = next(r.volume_ml for r in plain.organ_doses.rows if r.organ == "liver")
    assert ratio["liver"] == pytest.approx(1 / curve.at(liver_ml), rel=0.02)
    assert ratio["lesion"] > 1.2 * ratio["liver"]


def test_kinetics_and_dose_rates_are_of_the_recovered_activity():
    """What the report says of activity and dose rate must fit the dose that it says."""
    curve = RecoveryCurve(
        volume_ml=np.array([1.0, 1000.0]), recovery=np.array([0.5, 0.5]), name="half everywhere"
    )
    images = [image(h, half_life_h=50.0) for h in (4.0, 96.0)]
    plain = exam(images, kinetics="mono", method="local")
    mended = exam(images, kinetics="mono", method="local", recovery=curve)
    for before, after in zip(plain.kinetics, mended.kinetics, strict=True):
        assert after.tia_mbq_s == pytest.approx(2.0 * before.tia_mbq_s, rel=1e-6)
        assert after.activity_mbq == pytest.approx(2.0 * before.activity_mbq, rel=1e-6)
    for time, before in plain.dose_rates.items():
        hot = before >= 0.99 * before.max()
        assert mended.dose_rates[time][hot] == pytest.approx(2.0 * before[hot], rel=1e-3)
    # the facts of the images stay what the images show
    assert mended.images[0]["on_patient_mbq"] == pytest.approx(plain.images[0]["on_patient_mbq"])


def test_the_result_can_be_written_and_tells_its_warnings():
    result = exam(method="ssv")
    document = nm_result_document(result)
    assert document["method"] == "ssv"
    assert any("ASSUMED KINETICS" in w for w in result.warnings)
    assert any("no effective dose" in n for n in result.notes)
    assert result.effective_dose is None
    assert all(not isnan(row.mean_dose_mgy) for row in result.organ_doses.rows)


def test_lesions_stand_beside_as_spheres():
    """A lesion of Lu-177: betas stay, so sphere and voxels agree but for shape and cross-fire."""
    result = exam(compare=("local",))
    sphere = doses(result.compared["spheres"])
    assert set(sphere) == {"lesion"}
    assert sphere["lesion"] == pytest.approx(doses(result.organ_doses)["lesion"], rel=0.06)


def test_a_bladder_is_filled_and_emptied():
    """Decays in the bladder: by the model, whatever the image showed at its moment."""
    labels = replace(ORGANS, names={1: "lung_left", 2: "urinary_bladder", 3: "lesion"})
    settings = NmSettings(
        kinetics="physical", histories=2000, precision=None, voxel_size_mm=None, method="local",
        bladder_excretion=((0.25, 1.5),), voiding_interval_h=3.5,
    )  # fmt: skip
    result = compute_nm_exam(NmInput(ct=CT, images=(image(),), labels=labels), settings)
    bladder = next(r for r in result.kinetics if r.region == "urinary_bladder")
    # a quarter of 200 MBq enters with 1.5 h and is emptied every 3.5 h, decay of days aside
    k = log(2) / 1.5
    content = [
        0.25 * (np.exp(-k * v) * 3.5 - (np.exp(-k * v) - np.exp(-k * (v + 3.5))) / k)
        for v in np.arange(0, 60, 3.5)
    ]
    assert bladder.tia_mbq_s == pytest.approx(200.0 * sum(content) * HOUR, rel=0.03)
    assert bladder.method == "bladder voiding model"
    assert any("voiding" in note for note in result.notes)
    with pytest.raises(InputError, match="urinary_bladder"):
        exam(bladder_excretion=((0.25, 1.5),))


def test_reference_s_values_are_scaled_to_the_patient(monkeypatch):
    """Betas stay: with the patient's masses a reference person's S-values give the same dose."""
    local = local_kev_per_decay(load_nuclide("Lu-177")) * 1.602176634e-4
    masses = {"liver": 1500.0, "lungs": 1000.0, "lung_left": 500.0, "whole_body": 70_000.0}
    names = tuple(masses)
    charged = np.zeros((4, 3))
    sources = ("liver", "lungs", "whole_body")
    charged[0, 0], charged[1, 1], charged[2, 1] = local / 1500, local / 1000, local / 1000
    charged[:, 2] = local / 70_000
    table = SValueTable(
        nuclide="Lu-177", phantom="made by hand", targets=names, sources=sources,
        charged_mgy_per_mbq_s=charged, photon_mgy_per_mbq_s=np.zeros((4, 3)), masses_g=masses,
        relative_uncertainty=np.zeros((4, 3)),
    )  # fmt: skip
    monkeypatch.setattr(nm_reference_mird, "reference_table", lambda *_args, **_options: table)
    result = exam(method="local", compare=("mird",), s_values="reference-male")
    reference, truth = doses(result.compared["mird"]), doses(result.organ_doses)
    assert set(reference) == {"liver", "lung_left"}  # no lesion in a reference person
    for organ in reference:
        assert reference[organ] == pytest.approx(truth[organ], rel=0.03), organ
    assert any("lesion" in note for note in result.notes if "left out" in note)


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        ([image(24.0), image(4.0)], {"kinetics": "mono"}, "out of order"),
        ([image(4.0), image(24.0, nuclide="I-131")], {"kinetics": "mono"}, "one nuclide"),
        ([image()], {"kinetics": "mono"}, "several times"),
        ([image(), image(5.0)], {"kinetics": "physical"}, "one image"),
        ([image()], {"nuclide": "F-18"}, "not of F-18"),
        ([image()], {"nuclide": "Lu-777"}, "Lu-777"),
        ([replace(image(), nuclide=None)], {}, "--nuclide"),
        ([replace(image(), reference_s_after_administration=float("nan"))], {}, "administration"),
        ([replace(image(), half_life_s=1e6)], {}, "half-life"),
        ([image()], {"alpha_beta_gy": (("heart", 3.0),)}, "heart"),
    ],
)
def test_what_does_not_belong_together_is_refused(images, settings, message):
    with pytest.raises(InputError, match=message):
        exam(images, method="local", **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinetics": "guess"}, "kinetics must be one of"),
        ({"kinetics": "prior"}, "effective half-life"),
        ({"kinetics": "physical", "method": "kernel-network"}, "no kernel network ships yet"),
        ({"kinetics": "physical", "method": "magic"}, "method must be one of"),
        ({"kinetics": "physical", "precision": 0.01, "histories": 5000}, "either"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        NmSettings(**settings)
