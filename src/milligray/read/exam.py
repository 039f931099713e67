"""Open a CT examination, whatever form it comes in: headers first, pixels when wanted."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.read.ct_dicom import ct_series_of, sample_slices
from milligray.read.ct_nifti import read_ct_nifti
from milligray.read.ct_protocol import ct_protocol_of
from milligray.read.dicom_folder import scan_folder
from milligray.read.nifti_axes import read_nifti_header
from milligray.read.protocol_file import (
    ProtocolFile,
    overlay,
    parse_protocol_file,
    protocol_from,
)
from milligray.read.series import CtProtocol, CtSeries
from milligray.read.series_choice import SeriesChoice, choose_series
from milligray.read.slice_pixels import is_whole
from milligray.read.slice_stack import stack_slices
from milligray.volume import Grid, Volume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtInput:
    """A CT scan of which only the headers were read.

    Parameters
    ----------
    path : Path
    grid : Grid
        Of the volume to come (of tilted slices: before the tilt is taken out).
    dtype : numpy dtype
        Of the volume to come.
    stored_bytes_per_voxel : int
        In the file, decompressed: a NIfTI file may hold float64.
    n_files : int
    protocol : CtProtocol
    choice : SeriesChoice or None
        None: NIfTI.
    given : ProtocolFile or None
    """

    path: Path
    grid: Grid
    dtype: np.dtype[Any]
    stored_bytes_per_voxel: int
    n_files: int
    protocol: CtProtocol
    choice: SeriesChoice | None
    given: ProtocolFile | None

    @property
    def label(self) -> str:
        """What was found, in words."""
        if self.choice is None:
            return f"NIfTI image {self.path.name}"
        first = self.choice.headers[0]
        number = "without a number" if first.series_number is None else str(first.series_number)
        return f"DICOM series {number}, {first.description or 'no description'!r}"

    @property
    def is_resampled(self) -> bool:
        """True if the slices are tilted or unevenly spaced, so that a second volume is made."""
        if self.choice is None:
            return False
        stack = stack_slices(self.choice.headers)
        return stack.is_tilted or not stack.spacing.is_uniform

    def sample(self, n_slices: int) -> Volume | None:
        """Some slices spread over the scan [HU], on a coarse grid; None for NIfTI."""
        return None if self.choice is None else sample_slices(self.choice, n_slices)

    def read(self) -> tuple[CtSeries, CtProtocol]:
        """Read the pixels."""
        if self.choice is None:
            ct = read_ct_nifti(self.path)
            return ct, self.protocol
        ct = ct_series_of(self.choice)
        if self.given is None:
            return ct, self.protocol
        return ct, _mended(self.choice, self.given, ct.volume.grid)


def find_ct(
    path: str | Path, protocol_file: str | Path | None = None, series: str | int | None = None
) -> CtInput:
    """Find the CT scan that is meant and read its headers.

    Parameters
    ----------
    path, protocol_file, series
        As for `open_ct`.

    Raises
    ------
    InputError
        As `open_ct`, as far as headers can tell.
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
        image = read_nifti_header(path)
        given = parse_protocol_file(protocol_file)
        return CtInput(
            path=path, grid=image.grid, stored_bytes_per_voxel=image.values.dtype.itemsize,
            dtype=np.dtype(np.float32 if image.values.dtype.kind == "f" else np.int16),
            n_files=1, choice=None, given=given,
            protocol=protocol_from(given, image.grid, image.grid.spacing_mm[0]),
        )  # fmt: skip
    choice = choose_series(scan_folder(path), series)
    given_or_none = None if protocol_file is None else parse_protocol_file(protocol_file)
    grid = stack_slices(choice.headers).even_grid()
    if given_or_none is None:
        protocol = ct_protocol_of(choice)
    else:
        protocol = _mended(choice, given_or_none, grid)
    whole = all(is_whole(header) for header in choice.headers)
    return CtInput(
        path=path, grid=grid, dtype=np.dtype(np.int16 if whole else np.float32),
        stored_bytes_per_voxel=2, n_files=len({header.path for header in choice.headers}),
        choice=choice, given=given_or_none, protocol=protocol,
    )  # fmt: skip


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
    return find_ct(path, protocol_file, series).read()


def _mended(choice: SeriesChoice, given: ProtocolFile, grid: Grid) -> CtProtocol:
    """Protocol of the header with the values of a protocol file over it."""
    header = ct_protocol_of(choice, tube_voltage_kv=given.tube_voltage_kv)
    protocol = overlay(header, given, grid)
    note = f"values of the protocol file {given.name} replaced those of the DICOM header"
    return replace(protocol, notes=(*protocol.notes, note))
