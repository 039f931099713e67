"""Geometry of AAPM TG-195 cases 2, 4 and 5: phantom, source and scoring regions, LPS mm.

The report's axes are taken as LPS; cases 2 and 4 have no patient, so the names mean nothing there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from milligray.data import load_csv, load_json
from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.patient.phantoms.discs import disc_share
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.typing import FloatArray, LabelArray
from milligray.volume import Grid

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One run: phantom, beam, regions and the published entries they stand for.

    Parameters
    ----------
    name : str
    patient : Patient
    beam : FieldBeam
    membership : csr matrix, shape (n_regions, n_voxels)
    entries : tuple of tuple of str
        Per region the keys of `results.csv` (case, path) that it is compared with.
    """

    name: str
    patient: Patient
    beam: FieldBeam
    membership: scipy.sparse.csr_matrix
    entries: tuple[tuple[tuple[str, str], ...], ...]


def tg195_spectrum(name: str) -> Spectrum:
    """Spectrum of the report ("120 kVp", ...) or a line ("56.4 keV")."""
    if name.endswith("keV"):
        return Spectrum.monoenergetic(float(name.removesuffix("keV")))
    rows = [r for r in load_csv("tg195/spectra.csv") if r["spectrum"] == name]
    if not rows:
        raise InputError(f"TG-195 has no spectrum {name!r}")
    centers = np.array([float(r["bin_center_kev"]) for r in rows])
    edges = np.append(centers - 0.25, centers[-1] + 0.25)
    weights = np.array([float(r["weight"]) for r in rows])
    return Spectrum(edges_kev=edges, weights=weights, name=f"TG-195 {name}")


def tg195_material(name: str) -> Material:
    """Material of the report."""
    entry = load_json("tg195/materials.json")["materials"][name]
    return Material(
        name=f"TG-195 {name}",
        mass_fractions=entry["mass_fraction"],
        reference_density_g_cm3=entry["density_g_cm3"],
    )


def box_overlap(grid: Grid, low_mm: FloatArray, high_mm: FloatArray) -> FloatArray:
    """Fraction of every voxel inside an axis-aligned box (x, y, z) [mm], shape ``grid.shape``."""
    shares = []
    for axis in range(3):
        row = 2 - axis
        half = 0.5 * grid.spacing_mm[axis]
        center = grid.axis_centers_mm(axis)
        overlap = np.minimum(center + half, high_mm[row]) - np.maximum(center - half, low_mm[row])
        shares.append(np.clip(overlap, 0.0, None) / (2.0 * half))
    return np.asarray(
        shares[0][:, None, None] * shares[1][None, :, None] * shares[2][None, None, :]
    )


def _rows(regions: Sequence[FloatArray]) -> scipy.sparse.csr_matrix:
    return scipy.sparse.vstack([scipy.sparse.csr_matrix(r.reshape(1, -1)) for r in regions]).tocsr()


def case_2(beam: str, mode: str) -> Case:
    """Soft-tissue box: whole box and nine cubes."""
    soft = tg195_material("soft_tissue")
    grid = Grid.from_spacing(
        (40, 13, 13), (5.0, 30.0, 30.0), origin_lps_mm=(-180.0, -180.0, 1552.5)
    )
    patient = Patient(
        grid=grid,
        density_g_cm3=np.full(grid.shape, soft.reference_density_g_cm3),
        material_index=np.zeros(grid.shape, dtype=np.uint8),
        materials=(soft,),
        body=np.ones(grid.shape, dtype=bool),
    )
    centers = {
        "VOI 1": (0, -150, 0), "VOI 2": (-150, 0, 0), "VOI 3": (0, 0, 0), "VOI 4": (150, 0, 0),
        "VOI 5": (0, 150, 0), "VOI 6": (0, 0, -60), "VOI 7": (0, 0, -30), "VOI 8": (0, 0, 30),
        "VOI 9": (0, 0, 60),
    }  # fmt: skip
    regions: list[FloatArray] = [np.ones(grid.shape)]
    names = ["Total body"]
    for name, offset in centers.items():
        center = np.array([0.0, 0.0, 1650.0]) + np.array(offset)
        regions.append(box_overlap(grid, center - 15.0, center + 15.0))
        names.append(name)
    y_spot = 0.0 if mode == "radiography" else -1800.0 * float(np.tan(np.deg2rad(15.0)))
    return Case(
        name=f"2 {beam} {mode}",
        patient=patient,
        beam=FieldBeam(
            focal_spot_lps_mm=(0.0, y_spot, 0.0), field_center_lps_mm=(0.0, 0.0, 1800.0),
            field_axes=(X, Y), field_size_mm=(390.0, 390.0), spectrum=tg195_spectrum(beam),
        ),
        membership=_rows(regions),
        entries=tuple((("2", f"{beam}|{mode}|{n}"),) for n in names),
    )  # fmt: skip


def _pmma_cylinder(spacing_mm: float, n_z: int, z_origin_mm: float) -> Patient:
    pmma, air = tg195_material("pmma"), tg195_material("air")
    n = round(320.0 / spacing_mm)
    start = -160.0 + 0.5 * spacing_mm
    grid = Grid.from_spacing(
        (n_z, n, n), (10.0, spacing_mm, spacing_mm), origin_lps_mm=(start, start, z_origin_mm)
    )
    share = np.broadcast_to(disc_share(grid, (0.0, 0.0), 160.0), grid.shape)
    density = share * pmma.reference_density_g_cm3 + (1.0 - share) * air.reference_density_g_cm3
    return Patient(
        grid=grid, density_g_cm3=density, material_index=(share == 0).astype(np.uint8),
        materials=(pmma, air), body=share > 0.5,
    )  # fmt: skip


def _fan_from_left(beam: str, collimation: str) -> FieldBeam:
    return FieldBeam(
        focal_spot_lps_mm=(-600.0, 0.0, 0.0), field_center_lps_mm=(0.0, 0.0, 0.0),
        field_axes=(Y, Z), field_size_mm=(320.0, float(collimation.removesuffix("mm"))),
        spectrum=tg195_spectrum(beam),
    )  # fmt: skip


def case_4_1(beam: str, collimation: str) -> Case:
    """PMMA cylinder, four full-diameter slices of 1 cm; 100 cm of its length stand for 300."""
    patient = _pmma_cylinder(2.0, 101, -500.0)
    regions: list[FloatArray] = []
    for k in range(4):
        region = np.zeros(patient.grid.shape)
        region[50 + k] = disc_share(patient.grid, (0.0, 0.0), 160.0) > 0
        regions.append(region)
    return Case(
        name=f"4.1 {beam} {collimation}", patient=patient, beam=_fan_from_left(beam, collimation),
        membership=_rows(regions),
        entries=tuple((("4.1", f"{beam}|{collimation}|VOI {k}"),) for k in (1, 2, 3, 4)),
    )  # fmt: skip


def case_4_2(beam: str, collimation: str) -> Case:
    """PMMA cylinder with rods; the tube stands still and 36 rods lie around it.

    All is PMMA, so a rod at 180 degrees - a sees what the periphery rod sees at tube angle a, and
    the mirrored rod at 180 degrees + a sees the same: both are scored as one region.
    """
    patient = _pmma_cylinder(1.0, 100, -495.0)
    grid = patient.grid
    z_inside = np.abs(grid.axis_centers_mm(0)) < 50.0
    regions = [z_inside[:, None, None] * disc_share(grid, (0.0, 0.0), 5.0)]
    angles = range(0, 360, 10)
    entries = [tuple(("4.2", f"{beam}|{collimation}|centre|{a}") for a in angles)]
    for a in range(0, 190, 10):
        share = np.zeros(grid.shape[1:])
        mirrored = sorted({a, (360 - a) % 360})
        for angle in mirrored:
            phi = np.pi - np.deg2rad(angle)
            share += disc_share(grid, (150.0 * np.cos(phi), 150.0 * np.sin(phi)), 5.0)
        regions.append(z_inside[:, None, None] * share / len(mirrored))
        entries.append(tuple(("4.2", f"{beam}|{collimation}|periphery|{b}") for b in mirrored))
    return Case(
        name=f"4.2 {beam} {collimation}", patient=patient, beam=_fan_from_left(beam, collimation),
        membership=_rows(regions), entries=tuple(entries),
    )  # fmt: skip


def case_5(beam: str, angle_deg: int, labels: LabelArray) -> Case:
    """Voxel torso, one tube angle; labels as array [z, y, x] with k to the head."""
    table = load_json("tg195/materials.json")["case5"]
    if labels.shape != (260, 320, 500) or int(labels.max()) >= len(table):
        raise InputError(
            f"the case 5 phantom must be 260 x 320 x 500 voxels (z, y, x) with labels 0-19,"
            f" got {labels.shape} with labels up to {int(labels.max())}"
        )
    materials = tuple(Material(name=m["name"], mass_fractions=m["mass_fraction"]) for m in table)
    density = np.array([m["density_g_cm3"] for m in table], dtype=np.float32)[labels]
    patient = Patient(
        grid=Grid.from_spacing(labels.shape, (1.0, 1.0, 1.0)), density_g_cm3=density,
        material_index=labels, materials=materials, body=labels > 2,
    )  # fmt: skip
    flat = labels.ravel()
    scored = np.flatnonzero(flat > 2)
    membership = scipy.sparse.csr_matrix(
        (np.ones(scored.size, dtype=np.float32), (flat[scored].astype(np.int64) - 3, scored)),
        shape=(17, flat.size),
    )
    a = np.deg2rad(angle_deg)
    return Case(
        name=f"5 {beam} {angle_deg}", patient=patient,
        beam=FieldBeam(
            focal_spot_lps_mm=(-600.0 * float(np.sin(a)), -600.0 * float(np.cos(a)), 0.0),
            field_center_lps_mm=(0.0, 0.0, 0.0),
            field_axes=((float(np.cos(a)), -float(np.sin(a)), 0.0), Z),
            field_size_mm=(500.0, 10.0), spectrum=tg195_spectrum(beam),
        ),
        membership=membership,
        entries=tuple((("5", f"{beam}|{angle_deg}|{m['name']}"),) for m in table[3:]),
    )  # fmt: skip
