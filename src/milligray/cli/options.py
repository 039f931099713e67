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
