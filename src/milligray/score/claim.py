"""One process computes what several need; the others wait for its file in the cache."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: every process computes for itself, with the same result
    fcntl = None  # type: ignore[assignment]

WAIT_S = 900.0
_POLL_S = 0.1


@contextmanager
def claimed(path: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the claim to make a file of the cache.

    Parameters
    ----------
    path : Path
        The file; its claim is ``<name>.claim`` beside it.
    wait_s : float [s]
        After that the claim is not waited for any longer.

    Notes
    -----
    The claim is a lock of the operating system, so that of a killed process is free at once. Where
    there are no locks, or no place to write, all go on without: it saves work and guards nothing.
    Processes and threads of one machine always see it, other machines where the file system
    carries locks (NFS 4, Lustre with flock).
    """
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.with_name(path.name + ".claim").open("w"))
        except OSError:
            file = None
        if file is not None and fcntl is not None:
            until = time.monotonic() + wait_s
            while time.monotonic() < until:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_POLL_S)
                except OSError:
                    break
                else:
                    break
        yield
