import numpy as np
import pytest

from milligray.errors import GeometryError
from milligray.patient import effective_diameter_mm, find_body, water_equivalent_diameter_mm
from milligray.volume import Grid, Volume


def cylinder_ct(diameter_mm, hu=0.0, spacing_mm=1.25, n=280):
    x = (np.arange(n * 4) - (4 * n - 1) / 2) * spacing_mm / 4
    disk = (x[:, None] ** 2 + x[None] ** 2 < (diameter_mm / 2) ** 2).astype(float)
    share = disk.reshape(n, 4, n, 4).mean(axis=(1, 3))
    plane = share * hu + (1 - share) * -1000
    values = np.repeat(plane[np.newaxis], 3, axis=0).astype(np.float32)
    return Volume(grid=Grid.from_spacing(values.shape, (5, spacing_mm, spacing_mm)), values=values)


@pytest.mark.parametrize("diameter_mm", [100.0, 160.0, 320.0])
def test_water_cylinder_has_its_own_diameter(diameter_mm):
    ct = cylinder_ct(diameter_mm)
    np.testing.assert_allclose(water_equivalent_diameter_mm(ct), diameter_mm, rtol=0.005)
    body = find_body(ct)
    np.testing.assert_allclose(water_equivalent_diameter_mm(ct, body), diameter_mm, rtol=0.01)
    np.testing.assert_allclose(effective_diameter_mm(ct, body), diameter_mm, rtol=0.01)


def test_diameter_goes_with_the_root_of_the_attenuation():
    ct = cylinder_ct(200.0, hu=210.0)
    assert water_equivalent_diameter_mm(ct)[0] == pytest.approx(200 * 1.21**0.5, rel=0.005)


def test_padding_below_air_counts_as_air():
    ct = cylinder_ct(200.0)
    values = np.where(ct.values == -1000, -3024, ct.values)
    padded = Volume(grid=ct.grid, values=values)
    np.testing.assert_allclose(
        water_equivalent_diameter_mm(padded), water_equivalent_diameter_mm(ct)
    )


def test_outline_of_another_ct_is_refused():
    with pytest.raises(GeometryError):
        water_equivalent_diameter_mm(cylinder_ct(100.0), np.ones((2, 2, 2), dtype=bool))
