import pytest

from milligray.dataset.distributions import parse_distributions, read_distributions
from milligray.errors import FormatError, InputError
from milligray.source.scanner_library import list_scanners, load_scanner

from .conftest import PROTOCOLS


def test_shipped_distributions_hold_only_what_the_library_can_make() -> None:
    found, text = read_distributions()
    assert "docs/methods" in text
    for name in found.scanner.possible():
        scanner = load_scanner(str(name))
        for kv in found.tube_voltage_kv.possible():
            for bowtie in scanner.bowties:
                assert scanner.half_value_layer_at(bowtie, float(kv)) > 0
        assert all(float(w) > 0 for w in found.collimation_mm[str(name)].possible())
    assert set(found.scanner.possible()) == set(list_scanners()) - {"generic"}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("pitch = { uniform = [0.8, 1.2] }", "", "pitch"),
        ("pitch =", "pitsch =", "pitch"),
        ('scanner = "generic"', 'scanner = "siemens-force"', "siemens-force"),
        ('scanner = "generic"', 'scanner = "nobody"', "nobody"),
        ('region = "part"', 'region = "knee"', "region"),
        ("tube_voltage_kv = 120", "tube_voltage_kv = -1", "tube_voltage_kv"),
        ("limits = [0.5, 2.0]", "limits = [2.0, 3.0]", "limits"),
        ("share = 1.0", "share = 1.0\nspeed = 1", "speed"),
    ],
)
def test_mistakes_in_the_file_are_named(old: str, new: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        parse_distributions(PROTOCOLS.replace(old, new))


def test_no_toml_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        parse_distributions("a = = b")
