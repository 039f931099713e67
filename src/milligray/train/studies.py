"""Named studies: each makes the tables and figures of one system anew from training sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from milligray.errors import InputError
from milligray.learn.card_values import choices

RunStudy = Callable[[tuple[Path, ...], Path, Mapping[str, str]], None]
"""(data, out, options); writes ``tables.md``, CSV files and pictures into ``out``"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study: its name, what it shows, and the module whose function ``run`` does it."""

    name: str
    title: str
    module: str


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        name: Study(name=name, title=title, module=f"milligray.train.{module}")
        for name, module, title in (
            ("slice-mlp", "slice_mlp.study",
             "slice-wise network on our own truth, against its comparators"),
            ("slice-mlp-tzanis", "slice_mlp.study_tzanis",
             "slice-wise network on the published arrays of its authors"),
            ("radiomics-fcn", "radiomics_fcn.study",
             "radiomics network against its comparators, repeated random splits"),
            ("deep-dose", "deep_dose.study",
             "dose of source positions: voxels, organs, whole scans"),
            ("dose-unet", "dose_unet.study",
             "dose maps with uncertainty; shares of real training data"),
            ("scatter-net", "scatter_net.study", "exact primary with a network for scatter"),
            ("networks", "network_study", "all shipped networks on the same scans"),
        )
    }
)  # fmt: skip


def find_study(name: str) -> RunStudy:
    """Function that runs a study.

    Raises
    ------
    InputError
        If there is no such study, or this version does not hold it.
    """
    if name not in STUDIES:
        raise InputError(f"no study named {name!r}{choices(name, tuple(STUDIES))}")
    module = STUDIES[name].module
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError(f"this version does not hold the study {name}") from error
    run: RunStudy = found.run
    return run


def parse_study_options(given: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping; a text without ``=`` or a key given twice is refused."""
    options: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--option is KEY=VALUE, got {text!r}")
        if key in options:
            raise InputError(f"--option {key} is given twice")
        options[key] = value
    return options
