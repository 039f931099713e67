"""What a card tells of its training."""

import sys
from pathlib import Path

import pytest

from milligray.train.output import training_document
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
