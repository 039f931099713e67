"""An anatomy from its parameters: structures claim space in order, then muscle, fat and skin."""

import numpy as np

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.blueprint import Structure, load_blueprint
from milligray.anatomy.body import clothe
from milligray.anatomy.canvas import Canvas
from milligray.anatomy.frame import body_frame, voxel_frame
from milligray.anatomy.growth import grow
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.pose import posed
from milligray.anatomy.targets import target_of, tissue_rows
from milligray.anatomy.variation import varied_frame, varied_structure
from milligray.errors import InputError
from milligray.volume import Grid


def build_anatomy(parameters: AnatomyParameters, *, spacing_mm: float = 2.0) -> Anatomy:
    """A whole synthetic body.

    Parameters
    ----------
    parameters : AnatomyParameters
    spacing_mm : float [mm]
        Edge of the cubic voxels, 1 to 6.

    Returns
    -------
    Anatomy

    Raises
    ------
    InputError
        If the volumes asked for do not fit into the body asked for; the message names the organ.

    Notes
    -----
    Bones, then organs of head and neck and of the mediastinum, the lungs, the organs of the
    abdomen; each takes the free voxels of lowest field until it has its volume, so that volumes
    are met and nothing overlaps. Muscle takes the lowest values of the lean body's field, fat
    those of the depth scaled by the local thickness, until the weight is met; skin the outermost.
    """
    if not 1.0 <= spacing_mm <= 6.0:
        raise InputError(f"spacing_mm must be 1 to 6 mm, got {spacing_mm:g}")
    frame = varied_frame(body_frame(parameters), parameters)
    grid = body_grid(parameters, spacing_mm)
    regions, structures = load_blueprint(parameters.sex)
    regions = {n: posed(varied_structure(r, parameters), parameters) for n, r in regions.items()}
    canvas = Canvas(grid=grid, frame=voxel_frame(frame, grid), regions=regions)
    ordered = [posed(varied_structure(s, parameters), parameters) for s in structures]
    targets: dict[str, float] = {}
    for stage in ("skeleton", "organs", "lungs"):
        for structure in (s for s in ordered if s.stage == stage):
            _claim(canvas, structure, parameters, targets)
    abdomen = [s for s in ordered if s.stage == "abdomen"]
    canvas.widen_cavity(abdomen, parameters)
    for structure in abdomen:
        _claim(canvas, structure, parameters, targets)
    notes = clothe(canvas, parameters, targets)
    return Anatomy(
        grid=grid,
        structure=canvas.structure,
        names=dict(canvas.names),
        tissue=canvas.tissue,
        tissues=tuple(tissue_rows()),
        parameters=parameters,
        target_ml=targets,
        notes=tuple(notes),
    )


def body_grid(parameters: AnatomyParameters, spacing_mm: float) -> Grid:
    """Grid that holds the whole body, soles at z = 0, at any height, weight and pose."""
    breadth = 330.0 * parameters.height_ratio + 5.0 * max(parameters.bmi - 22.0, 0.0)
    depth = 170.0 * parameters.height_ratio + 7.0 * max(parameters.bmi - 22.0, 0.0)
    top = parameters.height_mm * (1.30 if parameters.arms == "up" else 1.0) + 24.0
    low = -12.0
    nz = int(np.ceil((top - low) / spacing_mm))
    ny = 2 * int(np.ceil((depth + 20.0) / spacing_mm))
    nx = 2 * int(np.ceil((breadth + 20.0) / spacing_mm))
    origin = (-0.5 * (nx - 1) * spacing_mm, -0.5 * (ny - 1) * spacing_mm, low + 0.5 * spacing_mm)
    return Grid.from_spacing((nz, ny, nx), (spacing_mm,) * 3, origin_lps_mm=origin)


def _claim(
    canvas: Canvas,
    structure: Structure,
    parameters: AnatomyParameters,
    targets: dict[str, float],
) -> None:
    box = canvas.box_of(structure)
    if box is None:
        return
    part = canvas.frame.part(box)
    values = structure.field(part)
    allowed = canvas.free(box, structure, part)
    target = target_of(structure, parameters)
    wanted = None if target is None else round(target.volume_ml / canvas.voxel_ml)
    if structure.ordered_by:
        allowed &= values < 0.0
        values = -canvas.regions[structure.ordered_by].field(part)
    taken, level = grow(structure.name, values, allowed, wanted, structure.limit_mm)
    inner = _core(values, taken, level, structure, None if target is None else target.core_share)
    canvas.paint(box, taken, structure, inner)
    canvas.levels[structure.name] = level
    if target is not None:
        targets[structure.name] = target.volume_ml


def _core(values, taken, level, structure: Structure, share: float | None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Voxels of the core: the deepest ones, by share of the volume or by depth."""
    if not structure.core:
        return None
    if share is None:
        return taken & (values < level - structure.cortex_mm)
    depth = values[taken]
    count = round(share * depth.size)
    if count <= 0:
        return np.zeros_like(taken)
    edge = np.partition(depth, min(count, depth.size - 1))[min(count, depth.size - 1)]
    return taken & (values < edge)
