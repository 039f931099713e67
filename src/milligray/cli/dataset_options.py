"""Options of `milligray dataset make`, as types."""

from pathlib import Path
from typing import Annotated, Any

import typer

Patients = Annotated[
    Path, typer.Option("--patients", metavar="LIST", help="List of exams, as for cohort.")
]
KindName = Annotated[str, typer.Option("--kind", help="See `milligray dataset kinds`.")]
Protocols = Annotated[
    str | None,
    typer.Option("--protocols", help="default, own (of the list), or a TOML file (CT kinds)."),
]
SamplesPerPatient = Annotated[
    int, typer.Option("--samples-per-patient", help="Samples (random scans) of each exam.")
]
Seed = Annotated[int, typer.Option("--seed", help="All that is random follows from it.")]
VoxelPrecision = Annotated[
    float | None,
    typer.Option(
        "--voxel-precision",
        help="Mean relative deviation of the voxels in range (0.03), or of a kernel at 10 cm"
        " (0.04).",
    ),
]
Precision = Annotated[
    float | None,
    typer.Option("--precision", help="Of every organ >= 10 mL (feature kinds; 0.01)."),
]
VoxelSize = Annotated[
    float | None, typer.Option("--voxel-size-mm", help="Voxel (default: the kind's).")
]
Margin = Annotated[
    float, typer.Option("--margin-mm", help="Kept beyond the beam along z (dose-maps).")
]
Positions = Annotated[
    int,
    typer.Option(
        "--positions",
        help="Source positions a scan (source-positions), source voxels a sample (source-kernels).",
    ),
]
Slab = Annotated[str, typer.Option("--slab", help="Voxels of a slab: depth x lateral x z.")]
Split = Annotated[str, typer.Option("--split", help="Shares of train, validation, test patients.")]
Nuclides = Annotated[
    str, typer.Option("--nuclide", help="One or more, like F-18,Lu-177 (source-kernels).")
]
Electrons = Annotated[
    str,
    typer.Option("--electrons", help="Those that travel: primaries, local, all (source-kernels)."),
]
Copies = Annotated[
    int, typer.Option("--annihilation-copies", help="Photon pairs a positron (source-kernels).")
]
PatchVoxels = Annotated[
    int, typer.Option("--patch", help="Edge of a kernel's cube in voxels (source-kernels).")
]
Surroundings = Annotated[
    float,
    typer.Option("--surroundings-mm", help="Patient around that cube, for backscatter."),
]
PrecisionAt = Annotated[
    float,
    typer.Option("--precision-at-mm", help="Where a kernel's --voxel-precision is judged."),
]
SourceWeights = Annotated[
    str | None,
    typer.Option("--source-weights", help="Source voxels, like lung=0.5,bone=0.5 (see docs)."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Processes (default: by processors, memory).")
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads a sample (default: the rest).")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Dask scheduler: ADDRESS, or its JSON file.")
]
SampleMemory = Annotated[
    float, typer.Option("--memory-per-sample-gb", help="For the default of --workers.")
]
Retries = Annotated[
    int, typer.Option("--retries", help="Further tries of a sample whose worker died.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout-s", help="Stop a sample that takes longer.")
]
Force = Annotated[bool, typer.Option("--force", help="Go on with labels that contradict their CT.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Begin anew; an interrupted set is lost.")
]


def three_numbers(option: str, text: str, separator: str, kind: type) -> Any:  # noqa: ANN401
    """Three numbers of an option."""
    from milligray.errors import InputError

    try:
        values = tuple(kind(word) for word in text.split(separator))
    except ValueError:
        values = ()
    if len(values) != 3:
        raise InputError(f"{option} needs three numbers with {separator!r} between, got {text!r}")
    return values


def protocols_of(option: str | None, *, needs_scan: bool, kind: str) -> tuple[str, str]:
    """``drawn`` with the distributions' text, ``own``, or ``none`` for a kind without a scan."""
    from milligray.dataset.distributions import read_distributions
    from milligray.errors import InputError

    if not needs_scan:
        if option is not None:
            raise InputError(f"{kind} samples are no CT scans: leave --protocols out")
        return "none", ""
    if option == "own":
        return "own", ""
    return "drawn", read_distributions(None if option in (None, "default") else Path(str(option)))[
        1
    ]
