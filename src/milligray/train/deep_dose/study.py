"""Study of deep-dose: positions of the tube and whole scans of patients it has never seen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from milligray.dataset.reader import TrainingSet, open_set
from milligray.dataset.storage import read_document
from milligray.errors import InputError
from milligray.evaluate.map_plots import dose_map_plot
from milligray.evaluate.table import Cell, Column, Table, write_tables
from milligray.learn.network import Network, open_network
from milligray.learn.predictors.deep_dose import SYSTEM, AskedPositions, inputs_of
from milligray.learn.shelf import find_network
from milligray.train.deep_dose.measures import judged_voxels, measure_columns, voxel_row
from milligray.train.deep_dose.position_data import Position, position_files, read_positions
from milligray.train.deep_dose.position_view import VIEWS, PositionView, cylinder_view
from milligray.train.deep_dose.whole_scans import scan_rows
from milligray.typing import FloatArray
from milligray.volume import Grid

_NOTE = (
    "Voxels of the body with at least 10 % of the largest dose of the position; doses for CTDI_w"
    " of 1 mGy of a rotation. RAE of noise: what a perfect prediction would show beside this"
    " Monte Carlo."
)
Guess = Callable[[Position], FloatArray]


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Make the tables and pictures.

    Parameters
    ----------
    data : tuple of Path
        Sets of kind source-positions (voxels of positions), organ-features (organ doses of whole
        scans) and dose-maps (voxels of whole scans), of the beam of the network.
    out : Path
    options : mapping
        ``network`` (name or folder), ``split`` (test), ``scans`` (most scans of each set, all),
        ``gamma`` (yes or no), ``angles``, ``step`` (sampling of the helix), ``label``.
    """
    network = open_network(find_network(options.get("network", "deep-dose-head-neck")))
    if network.card.system != SYSTEM:
        raise InputError(f"{network.card.name} is a network of {network.card.system}")
    out.mkdir(parents=True, exist_ok=True)
    split = options.get("split", "test")
    sets = [open_set(path) for path in data]
    of_positions = [one for one in sets if one.kind == "source-positions"]
    of_scans = [one for one in sets if one.kind in ("organ-features", "dose-maps")]
    tables: list[Table] = []
    if of_positions:
        tables.append(
            position_table(
                of_positions, split, network, with_gamma=options.get("gamma", "yes") == "yes",
                picture=out / "position.png",
            )
        )  # fmt: skip
    if of_scans:
        tables += scan_rows(network, of_scans, split, options)
    header = f"Network {network.method}; {split} patients."
    write_tables(tables, out, header=header)


def position_table(
    sets: Sequence[TrainingSet],
    split: str,
    network: Network,
    *,
    with_gamma: bool = True,
    picture: Path | None = None,
) -> Table:
    """Errors over the voxels of positions: the network and what it must beat.

    Parameters
    ----------
    sets : sequence of TrainingSet
        Of kind source-positions.
    split : str
        Whose positions are judged.
    network : Network
    with_gamma : bool
    picture : Path, optional
        Of the first position.
    """
    view = VIEWS[inputs_of(network.card)][0]
    judged = _positions(sets, split, view)
    if not judged:
        raise InputError(f"the sets hold no position of {split} patients")
    as_published = {
        part: {one.name: one for one in _positions(sets, part, cylinder_view)}
        for part in ("train", split)
    }
    trained = list(as_published["train"].values()) or list(as_published[split].values())
    size = float(sets[0].read(sets[0].samples()[0], ()).attributes["spacing_zyx_mm"][0])
    ask = AskedPositions(network)
    maps = {"network": [(one, corrected_dose(one, ask(one.channels))) for one in judged]}
    if inputs_of(network.card) == "traced":
        maps["first guess: traced beam + smeared scatter"] = [
            (one, one.terms.sum(axis=0)) for one in judged
        ]
    for name, guess in (("cylinder x CF x constant", _guess), ("cylinder x constant", _cylinder)):
        factor = _constant(trained, guess)
        same = (as_published[split][one.name] for one in judged)
        maps[name] = [(one, factor * guess(one)) for one in same]
    rows: list[dict[str, Cell]] = []
    for name, pairs in maps.items():
        found = [position_row(one, dose, size, with_gamma=with_gamma) for one, dose in pairs]
        row: dict[str, Cell] = {"system": name}
        rows.append(row | _mean(found))
    if picture is not None:
        _draw(*maps["network"][0], size, picture)
    return Table(
        name="positions", title="Dose of positions of the tube, mean over positions",
        columns=(
            Column(key="system", title="system", kind="text"),
            Column(key="positions", title="positions", kind="count"),
            Column(key="patients", title="patients", kind="count"),
            *measure_columns(),
        ),
        rows=tuple(
            row | {"positions": len(judged), "patients": len({p.patient for p in judged})}
            for row in rows
        ),
        notes=(_NOTE,),
    )  # fmt: skip


def position_row(
    one: Position, dose: FloatArray, size_mm: float, *, with_gamma: bool = True
) -> dict[str, Cell]:
    """Measures of one position; doses in mGy per CTDI_w of a rotation."""
    grid = Grid.from_spacing(one.dose.shape, (size_mm,) * 3)
    scale = one.reference_mgy
    return voxel_row(
        dose * scale, one.dose * scale, one.uncertainty, one.body, grid, with_gamma=with_gamma
    )


def corrected_dose(one: Position, correction: FloatArray) -> FloatArray:
    """Dose by the corrections of a network, shape (z, depth, lateral)."""
    f, g = correction
    return np.asarray(one.terms[0] + one.terms[1] * np.exp(f) + one.terms[2] * np.exp(f + g))


def _positions(sets: Sequence[TrainingSet], split: str, view: PositionView) -> list[Position]:
    files = [
        path for path in position_files([one.root for one in sets])
        if read_document(path)["attributes"]["split"] == split
    ]  # fmt: skip
    found = [position for path in files for position in read_positions(path, view)]
    return [one for one in found if in_beam(one)]


def in_beam(one: Position) -> bool:
    """Whether the plane of the tube holds body: a beam beside the patient has no dose to judge."""
    return bool(one.body[one.body.shape[0] // 2].any())


def _guess(one: Position) -> FloatArray:
    return np.asarray(one.terms[1])


def _cylinder(one: Position) -> FloatArray:
    return np.asarray(np.exp(2.0 * one.channels[1]))


def _constant(positions: Sequence[Position], guess: Guess) -> float:
    """Median ratio of dose to a guess in the beam, over training positions."""
    ratios = []
    for one in positions:
        mask = judged_voxels(one.dose, one.body)
        ratios.append(np.median(one.dose[mask] / guess(one)[mask]))
    return float(np.median(ratios))


def _mean(rows: Sequence[Mapping[str, Cell]]) -> dict[str, Cell]:
    return {key: float(np.mean([float(row[key] or 0.0) for row in rows])) for key in rows[0]}


def _draw(one: Position, dose: FloatArray, size_mm: float, path: Path) -> None:
    grid = Grid.from_spacing(one.dose.shape, (size_mm,) * 3)
    mask = judged_voxels(one.dose, one.body)
    figure = dose_map_plot(
        np.where(one.body, dose, 0.0) * one.reference_mgy,
        np.where(one.body, one.dose, 0.0) * one.reference_mgy, grid, mask=mask,
        unit="mGy per mGy CTDI_w",
    )  # fmt: skip
    figure.savefig(path, dpi=110)
