"""Options that several commands share, defined once."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="Directory for the result.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the files of an earlier result in --out.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Number of threads (default: all processors).")
]
Device = Annotated[str, typer.Option("--device", help="auto (a GPU where one works), cpu or cuda.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]
Protocol = Annotated[
    Path | None,
    typer.Option("--protocol", help="Protocol file (TOML): needed for NIfTI, else overrides."),
]
Series = Annotated[
    str | None,
    typer.Option("--series", help="Which series of the folder: UID, number or description."),
]
Organs = Annotated[Path | None, typer.Option("--organs", help="Organ labels (NIfTI).")]
OrganNames = Annotated[
    Path | None,
    typer.Option("--organ-names", help="Names of the labels (JSON) (default: beside them)."),
]
SegmenterName = Annotated[
    str | None,
    typer.Option("--segmenter", help="Without --organs: totalsegmentator or threshold."),
]
ScannerName = Annotated[
    str | None, typer.Option("--scanner", help="Scanner of the library, or a TOML file.")
]
Bowtie = Annotated[
    str | None, typer.Option("--bowtie", help="Bowtie of that scanner: head, body, ...")
]
TransportVoxel = Annotated[
    float, typer.Option("--voxel-size-mm", help="Wanted transport voxel; 0: the CT's grid.")
]
Calibration = Annotated[
    str,
    typer.Option("--calibration", help="HU to density: schneider2000, or a .csv or .toml file."),
]
Couch = Annotated[str, typer.Option("--couch", help="remove or keep.")]
Extend = Annotated[
    float,
    typer.Option("--extend-mm", help="Repeat the end slices as scatterer beyond the image."),
]
Precision = Annotated[
    float | None,
    typer.Option(
        "--precision", help="Stop when every organ >= 10 mL is this certain (default: 0.01)."
    ),
]
Histories = Annotated[
    int | None, typer.Option("--histories", help="Number of photons instead of a precision.")
]
DoseGrid = Annotated[
    str, typer.Option("--dose-grid", help="Grid of the dose files: ct, or transport (smaller).")
]
Dicom = Annotated[
    bool,
    typer.Option(
        "--dicom/--no-dicom",
        help="With a DICOM CT: dose.dcm (RT Dose) too. It names the patient as the CT does.",
    ),
]


def check_choices(
    *, couch: str = "remove", dose_grid: str = "ct", segmenter: str | None = None
) -> None:
    """Refuse a word that an option does not know.

    Raises
    ------
    InputError
        With the words that there are.
    """
    from milligray.errors import InputError

    for name, value, allowed in (
        ("--couch", couch, ("remove", "keep")),
        ("--dose-grid", dose_grid, ("ct", "transport")),
        ("--segmenter", segmenter, ("threshold", "totalsegmentator", None)),
    ):
        if value not in allowed:
            known = " or ".join(word for word in allowed if word)
            raise InputError(f"{name} must be {known}, got {value!r}")
