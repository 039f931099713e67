"""What a card tells of its training; names of what is prepared for it; options that are refused."""

import sys
from pathlib import Path

import pytest

from milligray.errors import InputError
from milligray.train.output import training_document
from milligray.train.prepared import prepared_file
from milligray.train.settings import FitSettings


def test_the_command_of_a_card_names_no_folder_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["/opt/bin/milligray", "train", "x", "--data", "/data/sets/one", "--option"]
    monkeypatch.setattr(sys, "argv", [*words, "init=/data/fits/first", "--option", "channels=1,2"])
    settings = FitSettings(
        folder=tmp_path, epochs=1, patience=0, learning_rate=1.0, batch_size=1, device="cpu"
    )
    found = training_document(settings, {})
    assert found["command"] == (
        "milligray train x --data one --option init=first --option channels=1,2"
    )


def test_a_sample_made_anew_is_prepared_anew(tmp_path: Path) -> None:
    samples = tmp_path / "set" / "samples"
    samples.mkdir(parents=True)
    one = samples / "p_000.h5"
    one.write_bytes(b"first")
    cache = tmp_path / "cache"
    first = prepared_file(cache, one, ("a", "b"))
    assert first == prepared_file(cache, one, ("a", "b"))
    assert first.parent == cache / "set"
    assert first != prepared_file(cache, one, ("a", "c"))
    one.write_bytes(b"second, longer")
    assert first != prepared_file(cache, one, ("a", "b"))
    other = tmp_path / "else" / "set" / "samples" / "p_000.h5"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"second, longer")
    assert prepared_file(cache, other, ("a",)) != prepared_file(cache, one, ("a",))


@pytest.mark.parametrize("option", ["channels=a,b,c", "folded=maybe", "inputs=x", "crop=4"])
def test_options_of_deep_dose_are_refused_before_anything_is_read(
    option: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from milligray.train.deep_dose.recipe import train_deep_dose

    settings = FitSettings(
        folder=tmp_path / "fit", epochs=1, patience=0, learning_rate=1.0, batch_size=1, device="cpu"
    )
    with pytest.raises(InputError, match=option.split("=", maxsplit=1)[0]):
        train_deep_dose(
            (tmp_path / "no set",), tmp_path / "out", settings, dict([option.split("=")])
        )
    assert not (tmp_path / "out").exists()
