"""A sample as an HDF5 file: chunked, compressed, the same bytes for the same sample."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milligray.dataset.extras import load_h5py
from milligray.dataset.kinds import Sample, SampleArray
from milligray.errors import FormatError
from milligray.report.plain import to_plain

SCHEMA = "milligray-sample/1"
CHUNK = 32
_COMPRESSION_LEVEL = 4


def array_sha256(values: npt.NDArray[Any]) -> str:
    """Hash of an array: dtype, shape, bytes in C order (little endian).

    Examples
    --------
    >>> from milligray.dataset.storage import array_sha256
    >>> array_sha256(np.zeros(3)) == array_sha256(np.zeros((3, 1)))
    False
    """
    fixed = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{fixed.dtype.str}{values.shape}".encode())
    digest.update(fixed.tobytes())
    return digest.hexdigest()


def sample_document(sample: Sample) -> dict[str, Any]:
    """All of a sample but its arrays, with their hashes, as plain values."""
    arrays = {
        name: {
            "sha256": array_sha256(array.values),
            "shape": list(array.values.shape),
            "dtype": array.values.dtype.str,
            "unit": array.unit,
            "description": array.description,
        }
        for name, array in sorted(sample.arrays.items())
    }
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "attributes": to_plain(dict(sample.attributes)),
        "statistics": to_plain(dict(sample.statistics)),
        "arrays": arrays,
    }
    return document


def write_sample(sample: Sample, path: Path) -> None:
    """Write a sample; the file's bytes follow from the sample and the versions of HDF5.

    Parameters
    ----------
    sample : Sample
    path : Path
        Written under another name and renamed when complete.
    """
    h5py = load_h5py()
    document = sample_document(sample)
    partial = path.with_name(f".{path.name}.partial")
    with h5py.File(partial, "w", libver=("v110", "v110"), track_order=True) as file:
        for name, array in sorted(sample.arrays.items()):
            values = array.values
            options: dict[str, Any] = {}
            if values.size > CHUNK and values.dtype.kind != "S":
                options = {
                    "chunks": _chunks(values.shape),
                    "compression": "gzip", "compression_opts": _COMPRESSION_LEVEL,
                    "shuffle": True, "fletcher32": True,
                }  # fmt: skip
            stored = file.create_dataset(name, data=values, track_times=False, **options)
            stored.attrs["unit"] = array.unit
            stored.attrs["description"] = array.description
        for key, value in _simple(document["attributes"]).items():
            file.attrs[key] = value
        file.attrs["document"] = json.dumps(document, sort_keys=True, allow_nan=False)
    partial.replace(path)


def read_document(path: Path) -> dict[str, Any]:
    """Attributes, statistics and hashes of a stored sample."""
    with _opened(path) as file:
        return _document(file, path)


def read_sample(path: Path, names: tuple[str, ...] | None = None) -> Sample:
    """Read a sample.

    Parameters
    ----------
    path : Path
    names : tuple of str, optional
        Only these arrays.

    Raises
    ------
    FormatError
        If it is no sample, or damaged.
    """
    with _opened(path) as file:
        document = _document(file, path)
        try:
            arrays = {
                name: SampleArray(
                    values=np.asarray(file[name][()]),
                    unit=about["unit"],
                    description=about["description"],
                )
                for name, about in document["arrays"].items()
                if names is None or name in names
            }
        except (OSError, KeyError) as error:
            raise FormatError(f"{path.name} is damaged: {error}") from error
    return Sample(
        arrays=arrays, attributes=document["attributes"], statistics=document["statistics"]
    )


def read_item(path: Path, index: int, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Read one entry along the first axis of some arrays; the others stay on disk.

    Raises
    ------
    FormatError
        If the file is no sample, or damaged.
    """
    with _opened(path) as file:
        try:
            return {name: np.asarray(file[name][index]) for name in names}
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise FormatError(f"{path.name} is damaged: {error}") from error


def wrong_arrays(path: Path, expected: Mapping[str, Any]) -> list[str]:
    """Arrays of a stored sample whose content is not what the manifest says.

    Parameters
    ----------
    path : Path
    expected : mapping of array name to ``{"sha256": ...}``
    """
    try:
        sample = read_sample(path)
    except FormatError as error:
        return [str(error)]
    names = sorted(set(expected) | set(sample.arrays))
    return [
        name
        for name in names
        if name not in expected
        or name not in sample.arrays
        or array_sha256(sample.arrays[name].values) != expected[name]["sha256"]
    ]


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Cubes; of a stack of volumes, those of one of them, so that it can be read alone."""
    inner = tuple(max(1, min(CHUNK, n)) for n in shape[-3:])
    return (1,) * (len(shape) - len(inner)) + inner


def _opened(path: Path) -> Any:  # noqa: ANN401 - untyped package
    h5py = load_h5py()
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path.name} cannot be read as HDF5: {error}") from error


def _document(file: Any, path: Path) -> dict[str, Any]:  # noqa: ANN401 - untyped package
    try:
        document: dict[str, Any] = json.loads(file.attrs["document"])
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path.name} is no sample of a training set") from error
    if document.get("schema") != SCHEMA:
        raise FormatError(f"{path.name} has the schema {document.get('schema')}, not {SCHEMA}")
    return document


def _simple(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that HDF5 can hold as they are; the others stand in the document only."""
    return {
        key: value
        for key, value in attributes.items()
        if isinstance(value, str | int | float)
        or (isinstance(value, list) and value and all(isinstance(v, int | float) for v in value))
    }
