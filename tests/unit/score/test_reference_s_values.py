"""Reference persons: groups of organs, sums by source, tables on disk."""

import numpy as np
import pytest
import scipy.sparse

from milligray.errors import FormatError, InputError
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.score.organ_level_mird import mird_doses
from milligray.score.organ_s_values import organ_s_values
from milligray.score.reference_s_values import (
    by_sources,
    read_s_value_table,
    reference_patient,
    with_groups,
    with_nested_charged,
    write_s_value_table,
)
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.nuclide import load_nuclide
from milligray.volume import Grid


@pytest.fixture(scope="module")
def person():
    """Two kidneys and a liver in a block of soft tissue."""
    grid = Grid.from_spacing((20, 20, 20), (10.0, 10.0, 10.0))
    patient = Patient(
        grid=grid, density_g_cm3=np.full(grid.shape, 1.04),
        material_index=np.zeros(grid.shape, dtype=np.uint8),
        materials=(load_material("soft_tissue"),), body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    shares = np.zeros((3, *grid.shape))
    shares[0, 4:10, 10:14, 2:6] = 1.0
    shares[1, 4:10, 10:14, 14:18] = 1.0
    shares[2, 11:18, 4:12, 4:12] = 1.0
    weights = scipy.sparse.csr_matrix((shares * patient.mass_g).reshape(3, -1))
    mass = np.asarray(weights.sum(axis=1)).ravel()
    organs = OrganMassWeights(
        names=("kidney_left", "kidney_right", "liver"), weights_g=weights, mass_g=mass,
        volume_ml=mass / 1.04,
    )  # fmt: skip
    return patient, with_groups(patient, organs)


def test_groups_hold_the_mass_of_their_members(person):
    patient, weights = person
    assert weights.names == ("kidney_left", "kidney_right", "liver", "kidneys", "whole_body")
    assert weights.mass_g[3] == pytest.approx(weights.mass_g[0] + weights.mass_g[1])
    assert weights.mass_g[4] == pytest.approx(patient.mass_g.sum())
    assert weights.weights_g.shape[0] == 5


def test_organs_of_a_patient_go_to_the_sources_of_the_table():
    tia = {"kidney_left": 2.0, "kidney_right": 3.0, "liver": 5.0, "femur_left": 7.0, "aorta": 1.0}
    sources = ("kidneys", "liver", "whole_body")
    assert by_sources(tia, sources) == {"kidneys": 5.0, "liver": 5.0, "remainder": 8.0}


def test_doses_of_the_whole_body_are_those_of_its_parts(person, tmp_path):
    """Decays by mass in organs and remainder are decays by mass in the body."""
    patient, weights = person
    table = organ_s_values(
        patient, weights, load_nuclide("F-18"), sources=("kidneys", "liver", "whole_body"),
        phantom="block", histories=60_000,
    )  # fmt: skip
    table = with_nested_charged(table, load_nuclide("F-18"))
    path = tmp_path / "block.csv"
    write_s_value_table(table, path)
    again = read_s_value_table(path)
    np.testing.assert_allclose(again.photon_mgy_per_mbq_s, table.photon_mgy_per_mbq_s, rtol=1e-4)
    assert (again.nuclide, again.targets, again.sources) == (
        table.nuclide, table.targets, table.sources,
    )  # fmt: skip
    mass = again.masses_g
    rest = mass["whole_body"] - mass["kidneys"] - mass["liver"]
    tia = {"kidneys": mass["kidneys"], "liver": mass["liver"], "remainder": rest}
    parts = {d.organ: d.dose_mgy for d in mird_doses(tia, again, whole_body="whole_body")}
    whole = {d.organ: d.dose_mgy for d in mird_doses({"whole_body": mass["whole_body"]}, again)}
    for organ in ("kidneys", "liver", "whole_body"):
        assert parts[organ] == pytest.approx(whole[organ], rel=0.02)


def test_other_files_and_persons_are_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="no S-value table"):
        read_s_value_table(path)
    with pytest.raises(InputError, match="reference persons are"):
        reference_patient("reference-child")
