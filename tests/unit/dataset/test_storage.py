from pathlib import Path

import numpy as np
import pytest

from milligray.dataset.kinds import Sample, per_value
from milligray.dataset.storage import (
    array_sha256,
    read_document,
    read_sample,
    sample_document,
    write_sample,
    wrong_arrays,
)
from milligray.errors import FormatError


def sample(scale: float = 1.0) -> Sample:
    rng = np.random.default_rng(1)
    return Sample(
        arrays={
            "dose": per_value(scale * rng.random((40, 33, 20)), "mGy", "dose"),
            "names": per_value(["liver", "heart"], "", "organs", "S16"),
            "empty": per_value(np.zeros((0, 3)), "mm", "nothing"),
        },
        attributes={"kv": 120.0, "scanner": "generic", "range": [1.0, 2.0], "angle": None},
        statistics={"mean": 0.03},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_sample(sample(), tmp_path / "a.h5")
    found = read_sample(tmp_path / "a.h5")
    assert sample_document(found) == sample_document(sample())
    assert found.arrays["dose"].unit == "mGy"
    assert set(read_sample(tmp_path / "a.h5", ("dose",)).arrays) == {"dose"}


def test_the_same_sample_gives_the_same_bytes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_sample(sample(), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_other_values_are_seen(tmp_path: Path) -> None:
    write_sample(sample(1.0 + 1e-6), tmp_path / "a.h5")
    assert wrong_arrays(tmp_path / "a.h5", sample_document(sample())["arrays"]) == ["dose"]
    assert wrong_arrays(tmp_path / "a.h5", read_document(tmp_path / "a.h5")["arrays"]) == []


def test_a_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_sample(sample(), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    assert wrong_arrays(path, sample_document(sample())["arrays"])


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="HDF5"):
        read_sample(tmp_path / "a.h5")


def test_hashes_tell_type_and_shape_apart() -> None:
    a = np.arange(6, dtype=np.float32)
    assert array_sha256(a) == array_sha256(a.astype(">f4"))
    assert len({array_sha256(x) for x in (a, a.reshape(2, 3), a.astype(np.float64))}) == 3
