"""A small exam: a water box with two organs, its CT finer than the transport grid."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from milligray.materials.hu_calibration import load_hu_calibration
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol
from milligray.report import ExamResult
from milligray.report.nm_result import NmResult
from milligray.score.budget import ct_budget
from milligray.score.dose import DoseMap, OrganDose, OrganDoses
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.segment.organs import OrganMap
from milligray.source.scanner import Bowtie, Scanner
from milligray.source.spectrum import Spectrum
from milligray.volume import Grid, Volume

from .nm_case import make_nm_result

CT_SHAPE = (9, 15, 20)
CT_SPACING_MM = (5.0, 4.0, 2.0)
BLOCK = (2, 3, 4)
OFFSET = (1, 3, 2)
SHAPE = (5, 6, 6)


def make_patient(*, with_ct: bool = True) -> Patient:
    ct_grid = Grid.from_spacing(CT_SHAPE, CT_SPACING_MM, origin_lps_mm=(-17.0, 31.0, 105.0))
    affine = ct_grid.affine.copy()
    first = (np.array(BLOCK) - 1) / 2 - np.array(OFFSET)  # center of transport voxel (0, 0, 0)
    affine[:3, 3] = ct_grid.to_lps_mm(first)
    affine[:3, :3] *= BLOCK
    grid = Grid(shape=SHAPE, affine=affine)
    body = np.zeros(SHAPE, dtype=bool)
    body[:, 1:5, 1:5] = True
    hu = np.full(CT_SHAPE, 20.0, dtype=np.float32)
    return Patient(
        grid=grid,
        density_g_cm3=np.where(body, 1.02, 0.0012).astype(np.float32),
        material_index=body.astype(np.uint8),
        materials=(
            Material(name="air", mass_fractions={"N": 0.76, "O": 0.24}),
            Material(name="water", mass_fractions={"H": 0.11, "O": 0.89}),
        ),
        body=body,
        ct=Volume(grid=ct_grid, values=hu) if with_ct else None,
        block=BLOCK if with_ct else (1, 1, 1),
        ct_offset=OFFSET if with_ct else (0, 0, 0),
        calibration="schneider2000",
        hu_calibration=load_hu_calibration("schneider2000"),
        notes=("couch removed",),
    )


def make_result(*, with_ct: bool = True, unit: str = "mGy", **changes: Any) -> ExamResult:
    patient = make_patient(with_ct=with_ct)
    rng = np.random.default_rng(5)
    dose = DoseMap(
        grid=patient.grid,
        dose_mgy=np.where(patient.body, 10 + rng.random(SHAPE), 0.0),
        relative_uncertainty=np.where(patient.body, 0.03, 0.0),
        method="monte-carlo:track-length",
        unit=unit,
    )
    organ_grid = patient.ct.grid if patient.ct is not None else patient.grid
    labels = np.zeros(organ_grid.shape, dtype=np.uint16)
    labels[1:3, 2:5, 2:5] = 3
    labels[3:, 2:5, 2:5] = 7
    organs = OrganMap(
        grid=organ_grid,
        labels=labels,
        names={3: "liver", 7: "lung_upper_lobe_left"},
        method="labels given",
        fraction_in_image={},
        notes=("couch removed",),
    )
    rows = (
        OrganDose(
            organ="liver", mean_dose_mgy=10.4567891, relative_uncertainty=0.004, volume_ml=1500.0,
            mass_g=1580.0, fraction_in_image=1.0, method="monte-carlo:track-length",
        ),
        OrganDose(
            organ="lung_upper_lobe_left", mean_dose_mgy=9.1, relative_uncertainty=0.01,
            volume_ml=7.5, mass_g=2.0, fraction_in_image=float("nan"),
            method="monte-carlo:track-length",
        ),
    )  # fmt: skip
    z = organ_grid.axis_centers_mm(0)
    protocol = CtProtocol(
        tube_voltage_kv=120.0,
        slice_position_mm=z,
        relative_current=np.linspace(0.8, 1.2, z.size),
        scan_mode="helical",
        pitch=0.9,
        collimation_mm=38.4,
        ctdi_vol_mgy=12.3 if unit == "mGy" else None,
        phantom_diameter_mm=320,
        scan_start_mm=float(z[0]),
        scan_end_mm=float(z[-1]),
        manufacturer="ACME",
        model="Scan 64",
        notes=("pitch assumed",),
    )
    bowtie = Bowtie(
        name="body", material="aluminum", fan_angle_rad=np.array([0.0, 0.4]),
        thickness_mm=np.array([0.0, 30.0]),
    )  # fmt: skip
    scanner = Scanner(
        name="generic", label="Generic 64-slice", focal_radius_mm=560.0, fan_fov_mm=500.0,
        anode_angle_deg=7.0, half_value_layer_mm_al={("body", 120): 7.5}, bowties={"body": bowtie},
        is_generic=True, sources=("Example et al. 2020",),
    )  # fmt: skip
    made = ExamResult(
        dose=dose,
        organ_doses=OrganDoses(rows=rows, unit=unit),
        patient=patient,
        organs=organs,
        protocol=protocol,
        scanner=scanner,
        spectrum=Spectrum(
            edges_kev=np.array([20.0, 60.0, 120.0]), weights=np.array([1.0, 2.0]), name="test"
        ),
        bowtie_name="body",
        calibration={"ctdi_vol_mgy": 12.3, "factor": np.float64(3.1e12), "note": None},
        budget=ct_budget(protocol, scanner, organs.method, statistics=0.01, ctdi_statistics=0.002),
        manifest={
            "milligray_version": "0.1.0",
            "created": "2026-03-01T12:00:00+00:00",
            "histories": 10**7,
            "seed": np.int64(1),
            "seconds": np.float32(1.5),
            "settings": {"precision": float("nan"), "shape": np.array([1, 2])},
        },
        water_equivalent_diameter_mm=np.full(z.size, 250.0),
        ssde_mgy=15.0,
        dlp_mgy_cm=400.0,
        warnings=("<b>a warning & more</b>",),
        dvh=organ_dose_volume_histograms(dose, organs, patient),
    )
    return replace(made, **changes)


@pytest.fixture
def result() -> ExamResult:
    return make_result()


@pytest.fixture
def build() -> Callable[..., ExamResult]:
    return make_result


@pytest.fixture
def nm_result(result) -> NmResult:
    return make_nm_result(result)


@pytest.fixture
def nm_build(result) -> Callable[..., NmResult]:
    return lambda **changes: make_nm_result(result, **changes)
