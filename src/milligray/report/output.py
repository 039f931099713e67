"""Write all files of a CT result."""

from collections.abc import Mapping
from pathlib import Path

from milligray.report.html import write_html
from milligray.report.maps import dose_maps, map_writers
from milligray.report.nifti import DoseGrid
from milligray.report.result import ExamResult
from milligray.report.staging import RESULT_FILES, Writer, check_output, write_together
from milligray.report.tables import result_document, write_json, write_organ_csv

__all__ = ["RESULT_FILES", "check_output", "write_result"]


def write_result(
    result: ExamResult,
    out: Path,
    *,
    overwrite: bool,
    dose_grid: DoseGrid = "ct",
    tables_only: bool = False,
    extra: Mapping[str, Writer] | None = None,
) -> list[Path]:
    """Write all files of a result.

    Parameters
    ----------
    result : ExamResult
    out : Path
        Directory; made if needed.
    overwrite : bool
        Replace the files of an older result in `out`. Foreign files are kept in any case.
    dose_grid : {"ct", "transport"}
        Grid of the two NIfTI files.
    tables_only : bool
        No maps and no report: ``organ_doses.csv`` and ``result.json``.
    extra : mapping of str to callable, optional
        Further files of the result (one of `RESULT_FILES`) and the function that writes each to a
        path.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If `out` cannot be used (see `check_output`) or a name in `extra` is not a result's.

    Notes
    -----
    All of them appear or none (see `milligray.report.staging.write_together`).
    """
    maps: dict[str, Writer] = {}
    if not tables_only and result.dose is not None:
        maps = map_writers(dose_maps(result.dose), result.patient, dose_grid)
    writers: dict[str, Writer] = {
        **maps,
        "organ_doses.csv": lambda path: write_organ_csv(result.organ_doses, path),
        **({} if tables_only else {"report.html": lambda path: write_html(result, path)}),
        **(extra or {}),
        "result.json": lambda path: write_json(result_document(result), path),
    }
    return write_together(writers, out, overwrite=overwrite)
