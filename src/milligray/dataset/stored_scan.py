"""Grid and source of a stored sample, from its attributes alone."""

from milligray.dataset.kinds import Sample
from milligray.errors import InputError
from milligray.read.series import CtProtocol
from milligray.source.ct_scan import make_ct_source
from milligray.source.ct_source import CtSource
from milligray.source.scanner_library import load_scanner
from milligray.volume import Grid


def stored_grid(sample: Sample) -> Grid:
    """Grid of the arrays of a sample of dose maps."""
    x, y, z = sample.attributes["first_voxel_lps_mm"]
    return Grid.from_spacing(
        sample.arrays["electron_density"].values.shape,
        sample.attributes["spacing_zyx_mm"],
        origin_lps_mm=(x, y, z),
    )


def stored_source(sample: Sample) -> CtSource:
    """Source of the scan of a sample, the same as it was made with.

    Parameters
    ----------
    sample : Sample
        With its protocol in the attributes and the arrays of the tube current.

    Raises
    ------
    InputError
        If something of the protocol is not stored.
    """
    about = sample.attributes
    try:
        protocol = CtProtocol(
            tube_voltage_kv=about["tube_voltage_kv"],
            slice_position_mm=sample.arrays["current_position"].values,
            relative_current=sample.arrays["relative_current"].values,
            scan_mode=about["scan_mode"], pitch=about["pitch"],
            collimation_mm=about["collimation_mm"], ctdi_vol_mgy=about["ctdi_vol_mgy"],
            phantom_diameter_mm=about["phantom_diameter_mm"],
            scan_start_mm=about["scan_low_mm"], scan_end_mm=about["scan_high_mm"],
            isocenter_lps_mm=tuple(about["isocenter_lps_mm"]),
            start_angle_rad=about["start_angle_rad"], scanner=about["scanner"],
        )  # fmt: skip
        scanner, bowtie = load_scanner(about["scanner"]), about["bowtie"]
    except KeyError as error:
        raise InputError(f"the sample does not store {error} of its protocol") from error
    return make_ct_source(protocol, None, scanner=scanner, bowtie=bowtie)
