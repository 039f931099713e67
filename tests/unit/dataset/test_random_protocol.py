import numpy as np

from milligray.dataset.distributions import parse_distributions
from milligray.dataset.random_protocol import random_protocol
from milligray.segment.organs import OrganMap
from milligray.segment.regions import region_range_mm
from milligray.volume import Grid

from .conftest import PROTOCOLS

GRID = Grid.from_spacing((60, 8, 8), (5.0, 5.0, 5.0))
DIAMETER = np.where(np.arange(60) >= 6, 200.0 + np.arange(60), 0.0)


def organs() -> OrganMap:
    labels = np.zeros(GRID.shape, dtype=np.uint16)
    labels[20:30] = 1
    labels[25:32, 2:4] = 2
    return OrganMap(
        grid=GRID, labels=labels, names={1: "lung_left", 2: "liver"}, method="test",
        fraction_in_image={},
    )  # fmt: skip


def test_same_key_same_protocol_and_other_keys_others() -> None:
    d = parse_distributions(PROTOCOLS)
    first, drawn = random_protocol(d, (1, "a", 0), GRID, DIAMETER, organs())
    again, drawn_again = random_protocol(d, (1, "a", 0), GRID, DIAMETER, organs())
    other, _ = random_protocol(d, (1, "a", 1), GRID, DIAMETER, organs())
    assert drawn == drawn_again
    assert np.array_equal(first.relative_current, again.relative_current)
    assert (first.pitch, first.scan_start_mm) == (again.pitch, again.scan_start_mm)
    assert first.pitch != other.pitch


def test_ranges_stay_where_the_patient_is_and_values_in_their_distributions() -> None:
    d = parse_distributions(PROTOCOLS)
    low, high = GRID.axis_centers_mm(0)[6] - 2.5, GRID.axis_centers_mm(0)[-1] + 2.5
    for n in range(40):
        p, _ = random_protocol(d, (1, "a", n), GRID, DIAMETER, None)
        assert p.scan_start_mm is not None
        assert p.scan_end_mm is not None
        assert low <= p.scan_start_mm < p.scan_end_mm <= high
        length = p.scan_end_mm - p.scan_start_mm
        assert 0.4 * (high - low) - 1e-6 <= length <= 0.8 * (high - low) + 1e-6
        assert 0.8 <= p.pitch <= 1.2
        assert abs(p.relative_current.mean() - 1) < 1e-9
        assert np.all(np.diff(p.relative_current) >= -1e-12)  # the patient gets wider


def test_regions_are_the_organs_and_their_margins() -> None:
    assert region_range_mm("chest", organs()) == (-50.0, 0.0)
    assert region_range_mm("head", organs()) is None
    text = PROTOCOLS.replace('region = "part"', 'region = "abdomen"')
    p, drawn = random_protocol(parse_distributions(text), (1, "a", 0), GRID, DIAMETER, organs())
    assert (p.scan_start_mm, p.scan_end_mm) == (-25.0, 10.0)
    assert drawn["region"] == "abdomen"
    text = PROTOCOLS.replace('region = "part"', 'region = "head"')
    _, drawn = random_protocol(parse_distributions(text), (1, "a", 0), GRID, DIAMETER, organs())
    assert drawn["region"] == "part"


def test_slender_patients_are_scanned_with_head_bowtie_and_phantom() -> None:
    text = PROTOCOLS.replace("head_below_diameter_mm = 50", "head_below_diameter_mm = 400")
    p, _ = random_protocol(parse_distributions(text), (1, "a", 0), GRID, DIAMETER, None)
    assert (p.body_region, p.phantom_diameter_mm, p.ctdi_vol_mgy) == ("head", 160, 40.0)
