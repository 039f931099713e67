"""Names that other code may use: a change of these lists is a change of the interface."""

import importlib

import pytest

PUBLIC = {
    "milligray": (
        "ActivityImage", "CtProtocol", "CtSeries", "CtSource", "DecaySource", "DoseMap",
        "EnergyDeposit", "FieldBeam", "Grid", "LabelMap", "Material", "Nuclide", "OrganDoses",
        "OrganMap", "Patient", "Spectrum", "TimeIntegratedActivity", "Volume",
        "activity_on_patient", "build_patient", "load_material", "load_nuclide", "make_ct_source",
        "make_spectrum", "read_activity", "read_ct_nifti", "read_ct_protocol", "read_ct_series",
        "read_labels", "read_protocol_file", "register_rigid", "score_dose", "score_organ_dose",
        "segment_organs", "transport_decays", "transport_photons", "write_json", "write_organ_csv",
        "write_result",
    ),
    "milligray.learn": (
        "ArraySpec", "InputDomain", "ModelCard", "Network", "Prediction", "Scan", "Validity",
        "Verdict", "card_markdown", "check_validity", "find_network", "find_predictor",
        "fit_domain", "list_networks", "open_network", "predict_dose", "predictor", "read_card",
        "scan_facts", "write_card",
    ),
    "milligray.train": (
        "FitSettings", "FitState", "Fitted", "Recipe", "export_onnx", "file_hashes", "find_recipe",
        "heteroscedastic_loss", "l1_loss", "list_recipes", "log_dose_loss", "recipe",
        "seed_all", "squared_loss", "training_document",
    ),
}  # fmt: skip


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_these_and_all_exist(package):
    module = importlib.import_module(package)
    assert sorted(dir(module)) == sorted(PUBLIC[package])
    for name in PUBLIC[package]:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing
