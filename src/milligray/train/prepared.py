"""Names of prepared samples that are kept on disk: what they were made of is in the name."""

import hashlib
from pathlib import Path


def prepared_file(cache: Path, sample: Path, *made_with: object) -> Path:
    """File for what is prepared of a stored sample.

    Parameters
    ----------
    cache : Path
    sample : Path
        File of the sample, ``SET/samples/NAME.h5``.
    *made_with : object
        What else decides about the result (channels, weights); its ``repr`` counts.

    Returns
    -------
    Path
        ``cache/SET/NAME-<hash>.npz``: another set of the same name, a sample made anew, or other
        channels give another file, never an old one.
    """
    state = sample.stat()
    what = repr((str(sample.resolve()), state.st_size, state.st_mtime_ns, made_with))
    digest = hashlib.sha256(what.encode()).hexdigest()[:12]
    return cache / sample.parent.parent.name / f"{sample.stem}-{digest}.npz"
