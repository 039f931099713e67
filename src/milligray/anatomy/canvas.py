"""The canvas: what has been claimed so far, and what is still free."""

from dataclasses import dataclass, field, replace

import numpy as np

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.breathing import breathed
from milligray.anatomy.fields import FAR
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import Heights
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.shapes import Plane
from milligray.anatomy.targets import reference_mass_g, target_of, tissue_density, tissue_rows
from milligray.errors import InputError
from milligray.typing import BoolArray, FloatArray, LabelArray
from milligray.volume import Grid

Box = tuple[slice, slice, slice]
CAVITY = "trunk_cavity"
SWOLLEN = "trunk_cavity_swollen"
DOME = "dome"
CAVITY_REACH_MM = 90.0
NEAR_MM = 40.0
"""The field of a region is kept this far around it."""
AFLOAT = ("small_bowel", "colon")
AFLOAT_SHARE = 0.4
"""How much deeper these groups lie apart per level of the cavity; half as much wider."""
AFLOAT_Z = ((970.0, 1040.0, 1150.0, 1215.0), (0.0, 1.0, 1.0, 0.0))
AFLOAT_FROM_MM = 10.0
"""What lies there in depth stays (canonical y)."""


@dataclass(slots=True, kw_only=True, eq=False)
class Canvas:
    """Structure and tissue of every voxel while an anatomy is being made.

    Parameters
    ----------
    grid : Grid
    frame : VoxelFrame
    regions : dict of str to Structure
    """

    grid: Grid
    frame: VoxelFrame
    regions: dict[str, Structure]
    structure: LabelArray = field(init=False)
    tissue: LabelArray = field(init=False)
    names: dict[int, str] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    descent_mm: float = 0.0
    _kept: dict[str, tuple[float, Box, FloatArray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.structure = np.zeros(self.grid.shape, dtype=np.uint16)
        self.tissue = np.zeros(self.grid.shape, dtype=np.uint8)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel [mL]."""
        return self.grid.voxel_volume_cm3

    def box_of(self, structure: Structure) -> Box | None:
        """Voxels that a structure may claim; None if it lies beside the grid."""
        frame = breathed(self.frame, structure.stage, self.descent_mm)
        return self._afloat(frame, structure).box_of(*structure.bounds())

    def field_of(self, structure: Structure, part: VoxelFrame) -> FloatArray:
        """Field of a structure where breathing and the fat around it have moved it."""
        frame = breathed(part, structure.stage, self.descent_mm)
        return structure.field(self._afloat(frame, structure))

    def free(self, box: Box, structure: Structure) -> BoolArray:
        """Voxels of a box that are not taken and lie within the regions a structure is bound to."""
        allowed = np.asarray(self.structure[box] == 0)
        for name in structure.inside:
            allowed &= self.edge(name, box) < 0.0
        for name in structure.outside:
            allowed &= self.edge(name, box) >= 0.0
        return allowed

    def paint(
        self,
        box: Box,
        taken: BoolArray,
        structure: Structure,
        core: BoolArray | None,
        gas: BoolArray | None = None,
    ) -> None:
        """Give voxels to a structure."""
        label = self.new_label(structure.name)
        self.structure[box][taken] = label
        self.tissue[box][taken] = tissue_code(structure.tissue)
        if core is not None:
            self.tissue[box][core] = tissue_code(structure.core)
        if gas is not None:
            self.tissue[box][gas] = tissue_code("gas")

    def new_label(self, name: str) -> int:
        """The next label, for a structure of this name."""
        label = len(self.names) + 1
        self.names[label] = name
        return label

    def widen_cavity(self, organs: list[Structure], parameters: AnatomyParameters) -> None:
        """Find the level at which the trunk cavity holds its organs and the visceral fat."""
        wanted = visceral_fat_ml(parameters)
        for organ in organs:
            target = target_of(organ, parameters)
            if target is not None and CAVITY in organ.inside:
                wanted += target.volume_ml
        low, high = self.regions[SWOLLEN].bounds()
        found = self.frame.box_of(low - CAVITY_REACH_MM, high + CAVITY_REACH_MM)
        if found is None:
            raise InputError("the grid does not hold the trunk")
        part = self.frame.part(found)
        lean, room = self._swelling(found)
        lean = lean / room
        lean[(self.structure[found] != 0) | (self.edge(DOME, found) >= 0.0)] = np.inf
        # it widens in front and at the sides, not up into the chest or down below the pelvis
        low, high = self.regions[CAVITY].bounds()
        lean[(part.zc < low[2]) | (part.zc > high[2])] = np.inf
        count = round(wanted / self.voxel_ml)
        self.levels[CAVITY] = float(np.partition(lean.ravel(), count)[count])

    def edge(self, name: str, box: Box) -> FloatArray:
        """Field of a region as it stands now, negative inside [mm].

        Notes
        -----
        The trunk cavity of level ``t`` stands at ``(1 - t) lean + t swollen``, two regions, and
        under the dome of the diaphragm.
        """
        if name == CAVITY:
            lean, room = self._swelling(box)
            stands = lean - np.float32(self.levels.get(CAVITY, 0.0)) * room
            return np.maximum(stands, self.edge(DOME, box))
        return self.region(name, box) - np.float32(self.levels.get(name, 0.0))

    def _afloat(self, frame: VoxelFrame, structure: Structure) -> VoxelFrame:
        """The frame in which bowel floats apart and forward in the fat of a swollen cavity."""
        level = self.levels.get(CAVITY, 0.0)
        if structure.group not in AFLOAT or level <= 0.0:
            return frame
        far = AFLOAT_SHARE * level * np.interp(frame.zc, *AFLOAT_Z)
        return replace(
            frame,
            ax=frame.ax * (1.0 + 0.5 * far),
            ay=frame.ay * (1.0 + far),
            by=frame.by - frame.ay * far * AFLOAT_FROM_MM,
        )

    def _swelling(self, box: Box) -> tuple[FloatArray, FloatArray]:
        """Field of the lean trunk cavity, and how much further the swollen one reaches [mm]."""
        lean = self.region(CAVITY, box)
        room = np.maximum(lean - self.region(SWOLLEN, box), np.float32(0.1))
        return lean, room

    def region(self, name: str, box: Box) -> FloatArray:
        """Field of a region in the blueprint over a box of voxels; `FAR` where it is far away [mm].

        Worked out once for all boxes that lie near the region, and again when breathing moves it.
        """
        if name not in self.regions:
            raise InputError(f"no region {name!r} in the blueprint")
        region = self.regions[name]
        if any(asked.step not in (None, 1) for asked in box):
            return self._region(region, box)
        moved_by = self.descent_mm if region.follows else 0.0
        kept = self._kept.get(name)
        if kept is None or kept[0] != moved_by:
            whole = self._near(region)
            if whole is None:
                return self._region(region, box)
            kept = moved_by, whole, self._region(region, whole)
            self._kept[name] = kept
        _, whole, values = kept
        out = np.full(tuple(s.stop - s.start for s in box), FAR, dtype=np.float32)
        here, there = [], []
        for asked, held in zip(box, whole, strict=True):
            first, last = max(asked.start, held.start), min(asked.stop, held.stop)
            if first >= last:
                return out
            here.append(slice(first - asked.start, last - asked.start))
            there.append(slice(first - held.start, last - held.start))
        out[here[0], here[1], here[2]] = values[there[0], there[1], there[2]]
        return out

    def _near(self, region: Structure) -> Box | None:
        """Voxels near a region: where organs bound to it may grow; None if it has no bounds."""
        if any(isinstance(shape, Heights | Plane) for shape in region.shapes):
            return None
        low, high = region.bounds()
        if region.name in (CAVITY, SWOLLEN):  # one box for both, they are compared
            both = [self.regions[name].bounds() for name in (CAVITY, SWOLLEN)]
            low, high = np.minimum(both[0][0], both[1][0]), np.maximum(both[0][1], both[1][1])
        frame = breathed(self.frame, region.follows, self.descent_mm)
        return frame.box_of(low - NEAR_MM, high + NEAR_MM)

    def _region(self, region: Structure, box: Box) -> FloatArray:
        part = self.frame.part(box)
        return region.field(breathed(part, region.follows, self.descent_mm))


def tissue_code(name: str) -> int:
    """Row of a tissue in the shipped table."""
    codes = list(tissue_rows())
    if name not in codes:
        raise InputError(f"no tissue {name!r} in anatomy/tissues.csv")
    return codes.index(name)


VISCERAL_SHARE = {"male": 0.20, "female": 0.09}
"""Share of the separable fat that lies in the trunk cavity at the reference weight."""
EXCESS_SHARE = {"male": 0.11, "female": 0.06}
"""The same of the fat beyond it: of more fat, more lies under the skin."""


def visceral_fat_ml(parameters: AnatomyParameters) -> float:
    """Volume of the fat between the organs of the abdomen [mL]."""
    excess_kg = max(parameters.weight_kg - reference_weight_kg(parameters), -8.0)
    fat_g = reference_mass_g("adipose_separable", "whole", parameters) * parameters.height_ratio**2
    share = VISCERAL_SHARE[parameters.sex]
    grams = share * fat_g + EXCESS_SHARE[parameters.sex] * 750.0 * excess_kg
    return max(grams, 300.0) / tissue_density("fat_visceral")


def reference_weight_kg(parameters: AnatomyParameters) -> float:
    """Weight of a person of this height with the BMI of the reference adult [kg]."""
    return {"male": 73.0, "female": 60.0}[parameters.sex] * parameters.height_ratio**2
