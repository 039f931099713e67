"""Write all files of a nuclear-medicine result."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from milligray.errors import InputError
from milligray.report.maps import dose_maps, map_writers
from milligray.report.nifti import DoseGrid
from milligray.report.nm_html import write_nm_html
from milligray.report.nm_result import NmResult
from milligray.report.nm_tables import dose_rate_file, nm_result_document, nm_table_writers
from milligray.report.staging import Writer, write_together
from milligray.report.tables import write_json
from milligray.typing import FloatArray


def write_nm_result(
    result: NmResult,
    out: Path,
    *,
    overwrite: bool,
    dose_grid: DoseGrid = "ct",
    tables_only: bool = False,
    extra: Mapping[str, Writer] | None = None,
) -> list[Path]:
    """Write all files of a nuclear-medicine result.

    Parameters
    ----------
    result : NmResult
    out : Path
        Directory; made if needed.
    overwrite : bool
        Replace the files of an older result in `out`. Foreign files are kept in any case.
    dose_grid : {"ct", "transport"}
        Grid of the NIfTI files.
    tables_only : bool
        No maps and no report: the CSV files and ``result.json``.
    extra : mapping of str to callable, optional
        As for `milligray.report.output.write_result`.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If `out` cannot be used (see `milligray.report.staging.check_output`).

    Notes
    -----
    All of them appear or none. What is not known (dose per activity without the administered
    activity, voxel uncertainty of methods without one) gives no file.
    """
    writers: dict[str, Writer] = {
        **({} if tables_only else map_writers(_maps(result), result.patient, dose_grid)),
        **nm_table_writers(result),
        **({} if tables_only else {"report.html": lambda path: write_nm_html(result, path)}),
        **(extra or {}),
        "result.json": lambda path: write_json(nm_result_document(result), path),
    }
    return write_together(writers, out, overwrite=overwrite)


def _maps(result: NmResult) -> dict[str, tuple[FloatArray, str]]:
    maps = dose_maps(result.dose)
    administered = result.administered_activity_mbq
    if administered is not None:
        per_activity: FloatArray = (result.dose.dose_mgy / np.float32(administered)).astype("f4")
        text = f"absorbed dose per administered activity [mGy/MBq] {result.nuclide.name}"
        maps["dose_per_activity.nii.gz"] = (per_activity, text)
    for time_s, rate in sorted(result.dose_rates.items()):
        name = dose_rate_file(time_s)
        if name in maps:
            raise InputError(
                f"two dose-rate maps less than 4 s apart would share the file {name}; give each"
                " time point once"
            )
        maps[name] = (rate, "absorbed dose rate [mGy/h] at the time in the file's name")
    return maps
