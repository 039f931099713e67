import json

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.exam import CtSettings
from milligray.exam.ct_exam import check_scale
from milligray.exam.manifest import ct_manifest
from milligray.patient.phantoms import water_box
from milligray.read.series import CtProtocol
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons


def protocol(**changes) -> CtProtocol:
    given = {
        "tube_voltage_kv": 120.0,
        "slice_position_mm": np.arange(5.0),
        "relative_current": np.ones(5),
        "scan_mode": "helical",
        "pitch": 1.0,
        "collimation_mm": 40.0,
        "ctdi_vol_mgy": 10.0,
        "phantom_diameter_mm": 320,
    }
    return CtProtocol(**(given | changes))


def test_a_scan_with_ctdivol_has_a_scale():
    check_scale(protocol(), CtSettings())


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"ctdi_vol_mgy": None}, "--per-100-mas"),
        ({"phantom_diameter_mm": None}, "160 or 320"),
    ],
)
def test_a_scan_without_scale_is_refused_unless_asked_for(missing, message):
    with pytest.raises(InputError, match=message):
        check_scale(protocol(**missing), CtSettings())
    check_scale(protocol(**missing), CtSettings(per_100_mas=True))


@pytest.mark.parametrize("estimator", ["track-length", "analogue"])
def test_manifest_is_json_and_says_what_was_done(estimator):
    beam = FieldBeam(
        field_center_lps_mm=(0.0, 0.0, 0.0),
        field_axes=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        field_size_mm=(10.0, 10.0),
        spectrum=Spectrum.monoenergetic(60.0),
    )
    box = water_box((40.0, 40.0, 40.0), voxel_size_mm=20.0)
    deposit = transport_photons(box, beam, histories=3200, seed=4, estimator=estimator)
    settings = CtSettings(seed=4, precision=None, histories=3200)
    manifest = ct_manifest(settings, deposit, inputs={"ct": "0" * 64}, seconds={"read": 0.1234})
    assert json.loads(json.dumps(manifest)) == manifest
    assert (manifest["seed"], manifest["histories"], manifest["batches"]) == (4, 3200, 32)
    assert manifest["inputs"] == {"ct": "0" * 64}
    assert manifest["settings"]["histories"] == 3200
    assert manifest["stage_seconds"] == {"read": 0.12}
    assert manifest["converged"] is True
    reduction = manifest["transport"]["variance_reduction"]
    assert ("track-length" in reduction) == (estimator == "track-length")
    assert "32 batches" in manifest["transport"]["statistical_method"]
