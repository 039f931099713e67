"""TotalSegmentator as an outside program: organs when it is installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from milligray.errors import InputError, MissingExtraError
from milligray.read.labels import read_labels
from milligray.read.series import LabelMap
from milligray.volume import Volume

PROGRAM = "TotalSegmentator"
_RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def run_total_segmentator(ct: Volume, *, fast: bool = False) -> LabelMap:
    """Organ labels from the program TotalSegmentator, which must be on the PATH.

    Parameters
    ----------
    ct : Volume [HU]
    fast : bool
        Its 3 mm model: rougher, much quicker without a GPU.

    Returns
    -------
    LabelMap
        With the names that the program writes into its result.

    Raises
    ------
    MissingExtraError
        If the program is not installed.
    InputError
        If it fails; the message has the last line of its output.

    Notes
    -----
    The CT goes through a temporary NIfTI file. The program fetches its weights from the web when
    it runs for the first time: a machine without access needs them put in place beforehand.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingExtraError(
            f"{PROGRAM} is not on the PATH. Install it in an environment of its own"
            " (pip install TotalSegmentator; its weights are fetched on the first run), or give"
            " organ labels, or take segmenter='threshold' for tissues that are not organs"
        )
    with tempfile.TemporaryDirectory(prefix="milligray_") as folder:
        source, target = Path(folder) / "ct.nii.gz", Path(folder) / "organs.nii.gz"
        _write_nifti(ct, source)
        command = [program, "-i", str(source), "-o", str(target), "--ml"]
        if fast:
            command.append("--fast")
        result = subprocess.run(  # noqa: S603 - program found by which, no shell
            command, capture_output=True, text=True, check=False, errors="replace"
        )
        lines = [x for x in (result.stdout + "\n" + result.stderr).splitlines() if x.strip()]
        last = lines[-1].strip() if lines else "(no output)"
        if result.returncode != 0:
            raise InputError(
                f"{PROGRAM} failed (exit code {result.returncode}): {last}. If its weights are"
                " missing, fetch them once on a machine with web access (totalseg_download_weights)"
            )
        if not target.is_file():
            raise InputError(f"{PROGRAM} ended without writing labels: {last}")
        return read_labels(target)


def _write_nifti(ct: Volume, path: Path) -> None:
    affine = np.eye(4)
    # nibabel arrays are (x, y, z): the columns of the affine in reverse order
    affine[:3, :3] = ct.grid.affine[:3, 2::-1]
    affine[:3, 3] = ct.grid.affine[:3, 3]
    image: Any = nib.Nifti1Image(  # type: ignore[no-untyped-call] # nibabel
        np.asarray(ct.values.transpose(2, 1, 0), dtype=np.int16), _RAS_OF_LPS @ affine
    )
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def is_installed() -> bool:
    """Tell whether TotalSegmentator's program is on the path."""
    return shutil.which("TotalSegmentator") is not None
