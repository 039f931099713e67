"""Open a CT examination, whatever form it comes in."""

from dataclasses import replace
from pathlib import Path

from milligray.errors import InputError
from milligray.read.ct_dicom import ct_series_of
from milligray.read.ct_nifti import read_ct_nifti
from milligray.read.ct_protocol import ct_protocol_of
from milligray.read.dicom_folder import scan_folder
from milligray.read.protocol_file import overlay, parse_protocol_file, read_protocol_file
from milligray.read.series import CtProtocol, CtSeries
from milligray.read.series_choice import choose_series


def open_ct(
    path: str | Path, protocol_file: str | Path | None = None, series: str | int | None = None
) -> tuple[CtSeries, CtProtocol]:
    """Read image and protocol of a CT scan.

    Parameters
    ----------
    path : str or Path
        DICOM folder, one DICOM file of the series, or a NIfTI file.
    protocol_file : str or Path, optional
        TOML file. Necessary for NIfTI; for DICOM its values replace those of the header.
    series : str or int, optional
        Which series, if a DICOM folder holds several.

    Returns
    -------
    CtSeries, CtProtocol

    Raises
    ------
    InputError
        If a NIfTI file comes without a protocol, or the input does not name one CT series.
    """
    path = Path(path)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        if not path.is_file():
            raise InputError(f"{path} does not exist or is not a file")
        if protocol_file is None:
            raise InputError(
                f"{path.name}: a NIfTI image does not say how the scan was made; give --protocol"
                " FILE.toml (see examples/head_neck_helical.toml)"
            )
        if series is not None:
            raise InputError(f"{path.name} is one NIfTI image: there is no series to choose")
        ct = read_ct_nifti(path)
        return ct, read_protocol_file(protocol_file, ct=ct)
    choice = choose_series(scan_folder(path), series)
    if protocol_file is None:
        protocol = ct_protocol_of(choice)
        return ct_series_of(choice), protocol
    given = parse_protocol_file(protocol_file)
    header = ct_protocol_of(choice, tube_voltage_kv=given.tube_voltage_kv)
    ct = ct_series_of(choice)
    protocol = overlay(header, given, ct)
    note = f"values of the protocol file {given.name} replaced those of the DICOM header"
    return ct, replace(protocol, notes=(*protocol.notes, note))
