import hashlib

import pytest
import xraylib

from milligray.data.loader import data_path, load_csv, load_json

MATERIALS = load_json("nist/materials.json")
HASHES = {
    "coefficients.csv": "bd1f6525b9503f1ec2c780fc0354256c62b3f49170e88b278f8f5c80e4d910ea",
    "elements.csv": "73d7bb37db99fe4c73f724e8f30ec7204aa00c0f4b0d73dc2e8428cdcd27b18d",
    "materials.json": "0825dafb82e122a92c8b14b7c94fae0d9614ab3b8c238170e84c4cd5f5ae3fe9",
}


@pytest.mark.parametrize("name", HASHES)
def test_table_is_the_released_one(name):
    content = data_path(f"nist/{name}").read_text(encoding="utf-8").encode()
    assert hashlib.sha256(content).hexdigest() == HASHES[name]


@pytest.mark.parametrize("material", MATERIALS)
def test_material_is_complete(material):
    rows = [r for r in load_csv("nist/coefficients.csv") if r["material"] == material]
    assert len(rows) == 17
    assert sum(MATERIALS[material]["mass_fractions"].values()) == pytest.approx(1.0, abs=2e-6)


@pytest.mark.parametrize("material", MATERIALS)
def test_mu_agrees_with_xraylib(material):
    fractions = MATERIALS[material]["mass_fractions"]
    for row in load_csv("nist/coefficients.csv"):
        energy = float(row["energy_kev"])
        if row["material"] == material and energy <= 800:
            own = sum(
                w * xraylib.CS_Total(xraylib.SymbolToAtomicNumber(e), energy)
                for e, w in fractions.items()
            )
            assert own == pytest.approx(float(row["mu_rho_cm2_g"]), rel=1e-3)


def test_mu_en_is_the_sum_over_elements():
    elements = {
        (r["element"], r["energy_kev"]): float(r["mu_en_rho_cm2_g"])
        for r in load_csv("nist/elements.csv")
    }
    for row in load_csv("nist/coefficients.csv"):
        fractions = MATERIALS[row["material"]]["mass_fractions"]
        own = sum(w * elements[e, row["energy_kev"]] for e, w in fractions.items())
        assert own == pytest.approx(float(row["mu_en_rho_cm2_g"]), rel=2e-3)
