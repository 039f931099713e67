"""An anatomy from its parameters: structures claim space in order, then muscle, fat and skin."""

from difflib import get_close_matches

import numpy as np

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.blueprint import Structure, load_blueprint
from milligray.anatomy.body import clothe
from milligray.anatomy.breathing import THINNER, chest_of_breath, descent_of_diaphragm_mm
from milligray.anatomy.canvas import Canvas, tissue_code
from milligray.anatomy.core import SHAFT_CORE, core_of, gas_of, thinned
from milligray.anatomy.frame import body_frame, voxel_frame
from milligray.anatomy.growth import grow
from milligray.anatomy.lobes import paint_lobes
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.pose import posed
from milligray.anatomy.targets import target_of, tissue_rows
from milligray.anatomy.variation import varied_frame, varied_structure
from milligray.errors import InputError
from milligray.volume import Grid

SPACING_MM = (1.0, 6.0)
"""Finest and coarsest voxels."""


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
    check_spacing(spacing_mm)
    for margin_mm in GRID_MARGINS_MM:
        anatomy = _built(parameters, spacing_mm, margin_mm)
        if anatomy is not None:
            return anatomy
    raise InputError("this body is larger than any grid made for it; please report its parameters")


def _built(parameters: AnatomyParameters, spacing_mm: float, margin_mm: float) -> Anatomy | None:
    """A body on a grid with a margin around what is expected of it; None if it reaches a side."""
    frame = varied_frame(chest_of_breath(body_frame(parameters), parameters), parameters)
    grid = body_grid(parameters, spacing_mm, margin_mm)
    regions, structures = load_blueprint(parameters.sex)
    regions = {n: posed(varied_structure(r, parameters), parameters) for n, r in regions.items()}
    _check_organs(parameters, structures)
    canvas = Canvas(grid=grid, frame=voxel_frame(frame, grid), regions=regions)
    ordered = [posed(varied_structure(s, parameters), parameters) for s in structures]
    targets: dict[str, float] = {}
    for stage in ("skeleton", "organs", "lungs"):
        lungs = [s for s in ordered if s.lobes]
        if stage == "organs" and lungs:
            canvas.descent_mm = descent_of_diaphragm_mm(canvas, lungs, parameters)
            canvas.levels[lungs[0].ordered_by] = -canvas.descent_mm
            stretched = [name for name, region in regions.items() if region.follows]
            thinner = THINNER * max(canvas.descent_mm, 0.0)
            canvas.levels |= dict.fromkeys(stretched, -thinner)
        for structure in (s for s in ordered if s.stage == stage):
            _claim(canvas, structure, parameters, targets)
    abdomen = [s for s in ordered if s.stage == "abdomen"]
    canvas.widen_cavity(abdomen, parameters)
    for structure in abdomen:
        _claim(canvas, structure, parameters, targets)
    surface = [s for s in ordered if s.stage == "surface"]
    notes = clothe(canvas, parameters, targets, surface)
    if _reaches_a_side(canvas):
        return None
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


def check_spacing(spacing_mm: float) -> None:
    """Refuse voxels that are too fine to hold or too coarse for the organs."""
    if not SPACING_MM[0] <= spacing_mm <= SPACING_MM[1]:
        raise InputError(
            f"spacing_mm must be {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm, got {spacing_mm:g}"
        )


def _reaches_a_side(canvas: Canvas) -> bool:
    body = canvas.structure
    sides = (body[0], body[-1], body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1])
    return any(bool(side.any()) for side in sides)


def _check_organs(parameters: AnatomyParameters, structures: tuple[Structure, ...]) -> None:
    """Refuse factors on organs that this body does not have."""
    known = {"*", "muscle", *(s.name for s in structures)}
    for name in parameters.organ_scale:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"organ_scale: no organ {name!r} in a {parameters.sex} body{hint}")


GRID_MARGINS_MM = (24.0, 80.0, 160.0)
"""Tried in turn until the body lies within its grid."""


def body_grid(parameters: AnatomyParameters, spacing_mm: float, margin_mm: float) -> Grid:
    """Grid that holds the whole body, soles at z = 0, at any height, weight and pose.

    Notes
    -----
    Measured on bodies of 150 to 210 cm and BMI 16 to 48 with 1.5 times the usual variation.
    """
    wide = parameters.height_ratio**0.6
    # a third of the body is fat: its scale counts as weight
    heavy = max(parameters.bmi * (0.67 + 0.33 * parameters.fat_scale) - 22.0, 0.0)
    is_up = parameters.arms == "up"
    half = 275.0 + 45.0 * wide + heavy if is_up else 335.0 * wide + 4.2 * heavy
    front = max(180.0 * wide, 105.0 * wide + 8.6 * heavy)  # toes, or the belly
    back = 145.0 * wide + 4.0 * heavy
    half, front, back = (side + margin_mm for side in (half, front, back))
    top = parameters.height_mm + (440.0 if is_up else 0.0) + margin_mm
    low = -12.0
    nz = int(np.ceil((top - low) / spacing_mm))
    n_front, n_back = (int(np.ceil(side / spacing_mm)) for side in (front, back))
    ny, nx = n_front + n_back, 2 * int(np.ceil(half / spacing_mm))
    origin = (-0.5 * (nx - 1) * spacing_mm, (0.5 - n_front) * spacing_mm, low + 0.5 * spacing_mm)
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
    values = canvas.field_of(structure, part)
    allowed = canvas.free(box, structure)
    target = target_of(structure, parameters)
    wanted = None if target is None else round(target.volume_ml / canvas.voxel_ml)
    if structure.ordered_by:
        allowed &= values < 0.0
        values = -canvas.regions[structure.ordered_by].field(part)
    taken, level = grow(structure.name, values, allowed, wanted, structure.limit_mm)
    if structure.lobes:
        targets |= paint_lobes(canvas, box, taken, structure, parameters)
        return
    share = None if target is None else target.core_share
    shaft = structure.shaft_field(part)
    depth = values if shaft is None else thinned(values, level, shaft)
    inner = core_of(structure, depth, taken, level, share)
    gas = None
    if target is not None and target.gas_share > 0.0 and inner is not None:
        gas = gas_of(values, inner, part, target.gas_share * float(np.count_nonzero(taken)))
    canvas.paint(box, taken, structure, inner, gas)
    if shaft is not None and inner is not None:
        canvas.tissue[box][inner & (shaft < 0.0)] = tissue_code(SHAFT_CORE)
    canvas.levels[structure.name] = level
    if target is not None:
        targets[structure.name] = target.volume_ml
