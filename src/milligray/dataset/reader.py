"""Read a finished set: what training asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample
from milligray.dataset.settings import SPLITS
from milligray.dataset.storage import read_sample
from milligray.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingSet:
    """A set on disk.

    Parameters
    ----------
    root : Path
    manifest : mapping
        ``dataset.json``.
    """

    root: Path
    manifest: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Kind of its samples."""
        return str(self.manifest["kind"])

    def samples(self, split: str | None = None) -> tuple[str, ...]:
        """Names of the finished samples.

        Parameters
        ----------
        split : {"train", "validation", "test"}, optional
            Default: all.
        """
        if split is not None and split not in SPLITS:
            raise InputError(f"split must be {', '.join(SPLITS)}, got {split!r}")
        return tuple(
            name
            for name, entry in self.manifest["samples"].items()
            if entry["status"] == "done" and split in (None, entry["split"])
        )

    def entry(self, name: str) -> Mapping[str, Any]:
        """What the manifest says of a sample."""
        found: Mapping[str, Any] | None = self.manifest["samples"].get(name)
        if found is None:
            raise InputError(f"the set has no sample {name!r}")
        return found

    def read(self, name: str, arrays: tuple[str, ...] | None = None) -> Sample:
        """Read a sample, or some of its arrays."""
        self.entry(name)
        return read_sample(SetFolder(self.root).sample_file(name), arrays)


def open_set(out: str | Path) -> TrainingSet:
    """Open a set.

    Parameters
    ----------
    out : str or Path
        Directory of ``milligray dataset make``.

    Raises
    ------
    InputError
        If it holds none.
    """
    folder = SetFolder(Path(out))
    return TrainingSet(root=folder.root, manifest=folder.need_manifest())
