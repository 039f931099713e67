"""Check a set against its manifest, and make any of its samples again from it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milligray.cohort.exam_list import CohortExam
from milligray.cohort.fingerprint import code_identity
from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample, find_kind
from milligray.dataset.patients import SampleSpec
from milligray.dataset.settings import SetSettings
from milligray.dataset.storage import sample_document, wrong_arrays
from milligray.errors import InputError
from milligray.exam.settings import CtSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What of a sample that was made again is not the same.

    Parameters
    ----------
    sample : str
    arrays : tuple of str
        Of other bits.
    values : tuple of str
        Attributes and statistics that differ.
    same_code : bool
        The set was made by this version; else differences may be right.
    """

    sample: str
    arrays: tuple[str, ...]
    values: tuple[str, ...]
    same_code: bool

    @property
    def is_same(self) -> bool:
        """All bits are the same."""
        return not self.arrays and not self.values


def verify_set(
    out: str | Path, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, list[str]]:
    """Arrays whose content is not what the manifest says, by sample; empty if all is well.

    Parameters
    ----------
    out : str or Path
    progress : callable (done, total), optional

    Raises
    ------
    InputError
        If the directory holds no set.
    """
    folder = SetFolder(Path(out))
    samples = folder.need_manifest()["samples"]
    wrong: dict[str, list[str]] = {}
    for number, (name, entry) in enumerate(samples.items(), start=1):
        if entry["status"] == "done":
            found = wrong_arrays(folder.sample_file(name), entry["arrays"])
            if found:
                wrong[name] = found
        if progress is not None:
            progress(number, len(samples))
    return wrong


def spec_of(
    manifest: dict[str, Any], name: str, out: Path, *, base: Path | None = None
) -> SampleSpec:
    """Sample as its manifest defines it.

    Parameters
    ----------
    manifest : dict
    name : str
    out : Path
        Directory of the set.
    base : Path, optional
        Folder of the list, which the files of the exams are relative to; default: as recorded.
    """
    entry = manifest["samples"].get(name)
    if entry is None:
        known = ", ".join(list(manifest["samples"])[:5])
        raise InputError(f"the set has no sample {name!r}; it has {known}, ...")
    folder = base or (out / manifest["list"]["folder"]).resolve()
    files = {key: folder / path for key, path in entry["files"].items()}
    for path in files.values():
        if not path.exists():
            raise InputError(
                f"{path} is not there; say where the list's folder is now (--base FOLDER)"
            )
    exam = CohortExam(
        exam=entry["exam"], input=files["input"], protocol=files.get("protocol"),
        organs=files.get("organs"), organ_names=files.get("organ_names"),
        series=entry["series"], settings=CtSettings(**entry["exam_settings"]), definition="",
        fingerprint=entry["exam_fingerprint"],
    )  # fmt: skip
    return SampleSpec(
        name=name, number=entry["number"], exam=exam, patient=entry["patient"],
        anatomy=entry["kind_of_anatomy"], split=entry["split"], augmented=entry["augmented"],
        settings=SetSettings.from_document(manifest["settings"]),
        fingerprint=entry["fingerprint"],
    )  # fmt: skip


def recompute_sample(
    out: str | Path, name: str, *, base: Path | None = None, threads: int = 1
) -> tuple[Sample, Difference]:
    """Make a sample again from the manifest, and compare it bit for bit.

    Parameters
    ----------
    out : str or Path
        Directory of the set.
    name : str
    base : Path, optional
        See `spec_of`.
    threads : int

    Returns
    -------
    Sample, Difference
    """
    folder = SetFolder(Path(out))
    manifest = folder.need_manifest()
    spec = spec_of(manifest, name, folder.root, base=base)
    sample = find_kind(spec.settings.kind).build(spec, threads)
    entry = manifest["samples"][name]
    if entry["status"] != "done":
        raise InputError(f"sample {name} is {entry['status']}: there is nothing to compare with")
    made = sample_document(sample)
    return sample, Difference(
        sample=name,
        arrays=tuple(
            key for key in sorted({*made["arrays"], *entry["arrays"]})
            if made["arrays"].get(key) != entry["arrays"].get(key)
        ),
        values=tuple(
            key
            for part in ("attributes", "statistics")
            for key in sorted({*made[part], *entry[part]})
            if made[part].get(key) != entry[part].get(key)
        ),
        same_code=manifest["code"] == code_identity(),
    )  # fmt: skip
