"""Print the spine of the reference man: vertebrae of one pattern per region, scaled by level.

python tools/build_spine.py > src/milligray/data/anatomy/spine.toml
"""

from itertools import pairwise

import numpy as np
from anatomy_toml import Entry, set_shares, to_toml
from scipy.interpolate import CubicSpline
from spine_levels import ARC, LEVELS, NAMES, Level, along, row
from spine_parts import SACRUM, axis_and_atlas
from vertebra_shapes import cervical, lumbar, thoracic


def disc_sheet(upper: str, lower: str) -> Entry:
    """Plate between two end plates, thicker in front where the spine is lordotic."""
    a, b = row(upper), row(lower)
    n = NAMES.index(lower)
    middle, _, back = along(0.5 * (ARC[n - 1] + ARC[n]))
    high = a[6]
    wedge = 0.14 if lower[0] in "LS" else (0.08 if lower[0] == "C" else -0.03)
    wide = 0.25 * (a[2] + b[2]) + 1.4 - 0.35 * high
    deep = 0.25 * (a[3] + b[3]) + 1.4 - 0.35 * high
    grid = []
    for u in np.linspace(-1, 1, 5):
        line = []
        for v in np.linspace(-1, 1, 5):
            x, p = u * np.sqrt(1 - v * v / 2) * wide, v * np.sqrt(1 - u * u / 2) * deep
            at = middle + np.array([x, 0, 0]) + p * back
            line.append([*(float(q) for q in at), high * (1.0 - wedge * p / deep)])
        grid.append(line)
    return {"type": "sheet", "points": grid, "note": f"{upper}/{lower}"}


def canal(grow_mm: float, lowest: str) -> Entry:
    """Tube of the canal, `grow_mm` wider than the bony one, from the foramen magnum downward."""
    points = [[0.0, 9.5, 1630.0, 13.0 + grow_mm], [0.0, 9.0, 1616.0, 12.5 + grow_mm]]
    ways, flats = [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]], [0.80, 0.76]
    for name in NAMES[1:]:
        _, _, _, depth, wide, deep, *_ = row(name)
        center, _, back = along(ARC[NAMES.index(name)])
        at = center + (0.5 * depth + 0.5 * deep - 0.5) * back
        points.append([*(float(q) for q in at), 0.5 * wide + grow_mm])
        ways.append([float(q) for q in back])
        flats.append((0.5 * deep + grow_mm) / (0.5 * wide + grow_mm))
        if name == lowest:
            break
    return {"type": "tube", "points": points, "flat": flats, "normal": ways}


SACRAL_CANAL = [[0, 77, 1003, 14], [0, 86, 972, 11], [0, 89.5, 948, 8], [0, 90, 931, 4.5]]


def contents() -> list[Entry]:
    """Cord, fluid and fat of the canal."""
    whole = canal(0.0, "S1")
    middle = np.array(whole["points"])[:, :3]
    size = {1630: 5.6, 1616: 5.6, 1582: 6.2, 1548: 6.6, 1513: 5.6, 1473: 4.8, 1330: 4.5, 1249: 4.8,
            1219: 5.2, 1200: 4.6, 1185: 3.0, 1172: 1.2}  # fmt: skip
    z = np.array(sorted(size))
    line = CubicSpline(middle[::-1, 2], middle[::-1, :2])
    cord = [[*(float(q) for q in line(h)), float(h), size[int(h)]] for h in z[::-1]]
    sac, fat = canal(-1.8, "S1"), canal(0.8, "S1")
    sac["points"].append([0, 77, 1003, 5])
    fat["points"] += SACRAL_CANAL
    for entry, count in ((sac, 1), (fat, len(SACRAL_CANAL))):
        entry["normal"] += [[0, 0.85, 0.5]] * count
        entry["flat"] += [0.62] * count
    cord_flat = [0.85 if h > 1480 else 0.88 for h in z[::-1]]
    return [
        {"name": "spinal_cord", "order": 1, "tissue": "spinal_cord", "volume_ml": [30, 25],
         "reach": 8, "shape": [{"type": "tube", "points": cord, "flat": cord_flat,
                                "normal": [0, 1, 0], "note": "to the cone at L1 and L2"}]},
        {"name": "spinal_canal", "order": 2, "tissue": "cerebrospinal_fluid", "reach": 8,
         "shape": [{**sac, "note": "dural sac, to S2"}]},
        {"name": "epidural_fat", "order": 3, "tissue": "fat", "reach": 8,
         "shape": [{**fat, "note": "bony canal, to the sacral hiatus"}]},
    ]  # fmt: skip


def main() -> None:
    """Print the file."""
    entries = contents()
    discs = [disc_sheet(a, b) for a, b in pairwise(NAMES[1:])]
    entries.append({"name": "intervertebral_discs", "order": 4, "tissue": "disc", "reach": 8,
                    "shape": discs})  # fmt: skip
    entries += axis_and_atlas(Level("C2").body())
    for name in LEVELS:
        make, site = {"C": (cervical, "cervical"), "T": (thoracic, "thoracic"),
                      "L": (lumbar, "lumbar")}[name[0]]  # fmt: skip
        entries.append({
            "name": f"vertebrae_{name}", "order": 10 + NAMES.index(name), "tissue": "cortical_bone",
            "core": "spongiosa", "site": [f"{site}_vertebrae", 0], "blend": 3, "reach": 8,
            "shape": make(Level(name)),
        })  # fmt: skip
    entries += SACRUM
    set_shares(entries)
    print(to_toml(
        "# spine: structures in canonical coordinates of the reference man [mm], version 1\n"
        "# printed by tools/build_spine.py; shares of a site: as the volumes of the shapes",
        entries,
    ), end="")  # fmt: skip


if __name__ == "__main__":
    main()
