"""Print the spine of the reference man: vertebrae of one pattern per region, scaled by level.

python tools/build_spine.py > src/milligray/data/anatomy/spine.toml

Sizes follow Panjabi et al. 1991 and 1992 (quantitative anatomy of cervical, thoracic and lumbar
vertebrae), made about 10 % larger for a man of 176 cm. Places of a vertebra are given as (x to the left,
p to posterior, t upward) from the center of its body, along the curve of the spine.
"""

import numpy as np
from anatomy_toml import Entry, set_shares, to_toml
from scipy.interpolate import CubicSpline

from spine_parts import SACRUM, axis_and_atlas

# level: z and y of the center of the body; width and depth of the body; width and depth of the
# canal; disc below; half breadth over the transverse processes; tip of the spinous process
# behind the back wall of the body and below the center
LEVELS = {
    "C3": (1582, -6, 21.5, 17.5, 25, 17, 4.5, 26, 34, 6),
    "C4": (1565, -5, 22, 18, 26, 17, 4.5, 26.5, 34, 7),
    "C5": (1548, -2, 23, 18.5, 26, 17, 4.8, 27, 35, 9),
    "C6": (1531, 4, 25, 19, 26, 17, 5, 28, 39, 12),
    "C7": (1513, 12, 27.5, 19, 25, 16, 4.8, 34, 45, 14),
    "T1": (1494, 22, 30, 21, 23, 16.5, 4.2, 39, 45, 14),
    "T2": (1473, 32, 30, 23, 20.5, 16, 4, 36.5, 45, 20),
    "T3": (1451, 41, 29.5, 25, 19.5, 16, 4, 34, 44, 25),
    "T4": (1428, 48, 29.5, 26.5, 19, 16, 4, 33, 44, 30),
    "T5": (1404, 53, 30, 28, 18.5, 16, 4.2, 33, 43, 34),
    "T6": (1380, 56, 31, 29.5, 18.5, 16, 4.4, 33, 43, 37),
    "T7": (1355, 57, 32, 31, 18.5, 16, 4.6, 33, 43, 38),
    "T8": (1330, 56, 34, 32, 19, 16, 4.8, 33, 42, 36),
    "T9": (1304, 53, 36, 34, 19, 16, 5.2, 32.5, 42, 32),
    "T10": (1277, 48, 38, 35, 20, 16.5, 5.6, 31, 42, 26),
    "T11": (1249, 42, 41, 36, 21.5, 17.5, 6.2, 28, 42, 20),
    "T12": (1219, 35, 44.5, 36.5, 23.5, 18.5, 7, 26, 43, 15),
    "L1": (1188, 28, 49, 38, 24.5, 19, 8.4, 37, 46, 12),
    "L2": (1155, 22, 51, 38.5, 25, 18.5, 9.6, 40, 47, 11),
    "L3": (1120, 18, 53, 39, 25.5, 18.5, 10.6, 45, 47, 11),
    "L4": (1084, 19, 55, 39, 26.5, 19, 11.2, 43, 45, 11),
    "L5": (1049, 27, 56.5, 38.5, 28.5, 19.5, 11, 46, 38, 11),
}
NAMES = ["C1", "C2", *LEVELS, "S1"]
_CENTERS = np.array(
    [(1615, -8), (1600, -6), *(r[:2] for r in LEVELS.values()), (1020, 44), (995, 60), (968, 74)],
    dtype=np.float64,
)
_ARC = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(_CENTERS, axis=0), axis=1))])
_CURVE = CubicSpline(_ARC, _CENTERS)


def row(level: str) -> tuple[float, ...]:
    """Sizes of a level; those of the axis body and of the upper end of the sacrum as well."""
    if level in ("C1", "C2"):
        return (1600, -6, 20, 16, 25, 18, 4.5, 26, 36, 6)
    if level == "S1":
        return (1020, 44, 52, 34, 30, 18, 0, 50, 34, 8)
    return LEVELS[level]


def along(arc: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Point of the curve, directions upward and to posterior, each as (x, y, z)."""
    z, y = _CURVE(arc)
    dz, dy = -_CURVE(arc, 1)
    up = np.array([0.0, dy, dz]) / np.hypot(dy, dz)
    return np.array([0.0, y, z]), up, np.array([0.0, up[2], -up[1]])


class Level:
    """One vertebra with its own axes."""

    def __init__(self, name: str) -> None:
        self.name, self.n = name, NAMES.index(name)
        _, _, self.w, self.d, self.cw, self.cd, self.disc, self.tp, self.sp, self.drop = row(name)
        self.center, self.up, self.back = along(_ARC[self.n])
        gap_above = row(NAMES[self.n - 1])[6] if name not in ("C1", "C2") else 5.0
        self.top = 0.5 * (_ARC[self.n] - _ARC[self.n - 1]) - 0.5 * gap_above
        self.bottom = -(0.5 * (_ARC[self.n + 1] - _ARC[self.n]) - 0.5 * self.disc)
        self.wall = 0.5 * self.d
        self.turn = [float(np.rad2deg(-np.arctan2(self.up[1], self.up[2]))), 0, 0]

    def at(self, x: float, p: float, t: float) -> list[float]:
        """Point of the body frame."""
        return [float(v) for v in self.center + np.array([x, 0, 0]) + p * self.back + t * self.up]

    def way(self, x: float, p: float, t: float) -> list[float]:
        """Direction in the axes of the level."""
        return [float(v) for v in np.array([x, 0, 0]) + p * self.back + t * self.up]

    def tube(self, points: list[tuple[float, ...]], note: str, **more: object) -> Entry:
        """Tube through (x, p, t, r)."""
        return {
            "type": "tube", "points": [[*self.at(*q[:3]), q[3]] for q in points], "note": note,
            **more,
        }  # fmt: skip

    def ball(self, at: tuple[float, ...], radii: tuple[float, ...], note: str, lean: float = 0.0,
             power: float = 2.0) -> Entry:  # fmt: skip
        """Ellipsoid along the axes of the level, leaning to posterior by `lean` degrees."""
        return {
            "type": "ellipsoid", "center": self.at(*at), "radii": list(radii), "power": power,
            "turn": [self.turn[0] - lean, 0, 0], "note": note,
        }  # fmt: skip

    def both(self, points: list[tuple[float, ...]], note: str, **more: object) -> list[Entry]:
        """A tube and its mirror image."""
        other = [(-q[0], *q[1:]) for q in points]
        flipped = {k: [-v[0], *v[1:]] if k == "normal" else v for k, v in more.items()}  # type: ignore[index]
        return [self.tube(points, note, **more), self.tube(other, note, **flipped)]

    def balls(self, at: tuple[float, ...], radii: tuple[float, ...], note: str,
              lean: float = 0.0, power: float = 2.0) -> list[Entry]:  # fmt: skip
        """An ellipsoid and its mirror image."""
        return [
            self.ball((side * at[0], *at[1:]), radii, note, lean, power) for side in (1.0, -1.0)
        ]

    def body(self) -> list[Entry]:
        """Body with waist and flat end plates; the back wall a little hollow."""
        shapes = []
        points = []
        for share, size in ((-1.2, 1.0), (-0.95, 1.0), (-0.5, 0.91), (0.0, 0.87), (0.5, 0.9),
                            (0.95, 0.985), (1.2, 0.985)):  # fmt: skip
            t = share * (self.top if share > 0 else -self.bottom)
            points.append((0.0, 0.0, t, 0.5 * self.w * size))
        shapes.append(
            self.tube(points, "body", flat=self.d / self.w, normal=self.way(0.0, 1.0, 0.0))
        )
        for end in (self.top, self.bottom):
            arc = _ARC[self.n] - (end + (0.5 * row(NAMES[self.n - 1])[6] if end > 0 else
                                         -0.5 * self.disc))  # fmt: skip
            _, up, _ = along(arc)
            sign = 1.0 if end > 0 else -1.0
            shapes.append({
                "type": "plane", "op": "keep", "point": self.at(0, 0, end),
                "normal": [float(v) for v in sign * up], "note": "end plate",
            })  # fmt: skip
        return shapes

    def lamina(self, half_height: float, thick: float, t_side: float, t_mid: float) -> Entry:
        """Arch from one articular pillar round the back of the canal to the other."""
        side, back = 0.5 * self.cw, self.wall + self.cd
        points = [
            (side + 3.0, self.wall + 8.0, t_side, half_height * 0.8),
            (0.72 * side + 1.0, back - 2.0, 0.5 * (t_side + t_mid), half_height),
            (0.0, back + 2.5, t_mid, half_height),
        ]
        ways = [self.way(1.0, 0.15, 0.0), self.way(0.8, 0.7, 0.1), self.way(0.0, 1.0, 0.15)]
        points += [(-q[0], *q[1:]) for q in points[1::-1]]
        ways += [[-v[0], *v[1:]] for v in ways[1::-1]]
        return self.tube(points, "laminae", flat=thick / half_height, normal=ways)


def cervical(v: Level) -> list[Entry]:
    """C3 to C7."""
    seventh = v.name == "C7"
    side, back = 0.5 * v.cw, v.wall + v.cd
    shapes = v.body()
    shapes += v.balls((0.5 * v.w - 1.5, 0.5, v.top + 0.5), (2.6, 6.0, 3.2), "uncinate process")
    shapes += v.balls((side + 8.5, v.wall + 3.5, 0.0), (5.6, 6.2, 7.4), "articular pillar", 35, 3)
    shapes += v.both([(0.4 * v.w, v.wall - 5, 0.5, 3.4), (side + 5, v.wall + 1, 0.5, 3.4)], "pedicle")
    # transverse process: front root from the body, back root from the pillar, foramen between
    shapes += v.both(
        [(0.5 * v.w - 2, -1.0, -1, 2.8), (0.5 * v.w + 5, -3.0, -2, 2.4), (v.tp - 3, 0.0, -3, 2.8)],
        "transverse process, front root",
    )
    shapes += v.both(
        [(side + 7, v.wall + 1, -1, 3.4), (v.tp - 1, v.wall - (2 if not seventh else -3), -3, 3.2)],
        "transverse process, back root",
    )
    shapes.append(v.lamina(6.2, 2.6, 0.0, -3.0))
    if seventh:
        shapes.append(v.tube([(0, back + 1, -4, 6), (0, 0.5 * (back + v.wall + v.sp) + 2, -8, 5.0),
                              (0, v.wall + v.sp - 4, -v.drop, 5)], "spinous process", flat=0.75,
                             normal=[1, 0, 0]))  # fmt: skip
    else:
        shapes += v.both([(0, back + 1, -3, 5.0), (1.5, v.wall + v.sp - 8, 0.4 - v.drop, 4.0),
                          (4.0, v.wall + v.sp - 3, -v.drop, 3.0)], "spinous process, forked")  # fmt: skip
    return shapes


def thoracic(v: Level) -> list[Entry]:
    """T1 to T12; the last ones begin to look like lumbar ones."""
    level = int(v.name[1:])
    side, back, high = 0.5 * v.cw, v.wall + v.cd, v.top - v.bottom
    grow = (level - 1) / 11.0
    shapes = v.body()
    shapes += v.both(
        [(side + 1.5, v.wall - 5, 0.22 * high, 0.3 * high), (side + 2.8, v.wall + 8, 0.2 * high,
                                                             0.27 * high)],
        "pedicle", flat=(3.2 + 1.4 * grow) / (0.29 * high), normal=v.way(1.0, 0.0, 0.0),
    )  # fmt: skip
    shapes.append(v.lamina(0.44 * high + 1.5, 3.5, 0.5, -4.0 - 1.5 * grow))
    if level < 12:
        shapes += v.balls((side + 2.5, v.wall + 8.0, v.top + 1.0), (4.8, 2.4, 6.0),
                          "superior articular process", 12)  # fmt: skip
    else:
        shapes += v.balls((side + 3.0, v.wall + 9.0, v.top + 0.5), (4.4, 3.0, 6.5),
                          "superior articular process", 8)  # fmt: skip
    if level < 12:
        shapes += v.balls((side + 0.5, v.wall + 13.2, v.bottom - 3.5), (4.8, 2.3, 6.5),
                          "inferior articular process", 12)  # fmt: skip
    else:
        shapes += v.balls((side - 2.5, v.wall + 15.0, v.bottom - 6.0), (4.0, 4.4, 8.0),
                          "inferior articular process")  # fmt: skip
    up = 3.0 if level > 2 else 1.0
    tip_p = v.wall + (15.0 if level < 11 else 12.0)
    shapes += v.both(
        [(side + 3, v.wall + 9, 0.5, 5.2), (0.6 * (side + v.tp), v.wall + 12, 1.5, 4.6),
         (v.tp - 5.5, tip_p, up, 5.4 if level < 11 else 4.2)], "transverse process",
    )  # fmt: skip
    middle = 0.45
    tip = (v.wall + v.sp, -v.drop)
    shapes.append(
        v.tube(
            [(0, back, -4, 7.0), (0, back + 2 + middle * (tip[0] - back), -4 + middle * (tip[1] + 2), 6.0),
             (0, tip[0] - 4, tip[1], 4.6 + 2.4 * max(grow - 0.75, 0) * 4)],
            "spinous process", flat=0.62, normal=[1, 0, 0],
        )
    )  # fmt: skip
    return shapes


def lumbar(v: Level) -> list[Entry]:
    """L1 to L5."""
    level = int(v.name[1:])
    side, back, high = 0.5 * v.cw, v.wall + v.cd, v.top - v.bottom
    wide = (5.4, 5.8, 6.4, 7.6, 9.6)[level - 1]
    shapes = v.body()
    shapes += v.both(
        [(side + 0.6 * wide - 1, v.wall - 6, 0.2 * high, 9.2), (side + 0.55 * wide + 1, v.wall + 9,
                                                                0.17 * high, 8.8)],
        "pedicle", flat=wide / 9.0, normal=v.way(1.0, 0.0, 0.0),
    )  # fmt: skip
    shapes.append(v.lamina(12.0 if level < 5 else 10.5, 4.5, 0.0, -6.0))
    shapes += v.balls((side + 5.2, v.wall + 11.0, v.top + 1.0), (4.8, 6.8, 9.5),
                      "superior articular process", -4)  # fmt: skip
    if level < 5:
        below = 0.5 * row(NAMES[v.n + 1])[4]
        shapes += v.balls((below - 4.0, v.wall + 15.5, v.bottom - 6.5), (4.6, 5.8, 11.0),
                          "inferior articular process")  # fmt: skip
    else:
        shapes += v.balls((side - 1.0, v.wall + 15.0, v.bottom - 5.0), (5.6, 4.6, 9.5),
                          "inferior articular process")  # fmt: skip
    rise = (4.0, 3.0, 2.0, 5.0, 7.0)[level - 1]
    thick = 7.5 if level < 5 else 9.5
    shapes += v.both(
        [(side + 4, v.wall + 6, 1.5, thick), (0.55 * (side + v.tp), v.wall + 6, 2.5, 6.6),
         (v.tp - 5, v.wall + 9, rise, 6.0)],
        "transverse process", flat=0.6, normal=v.way(0.0, 1.0, 0.0),
    )  # fmt: skip
    half = 11.5 if level < 5 else 8.5
    shapes.append(
        v.tube(
            [(0, back + 1, -6, half - 1.5), (0, 0.5 * (back + v.wall + v.sp), -8, half - 0.5),
             (0, v.wall + v.sp - half + 1.5, -v.drop, half)],
            "spinous process", flat=5.2 / half, normal=[1, 0, 0],
        )
    )  # fmt: skip
    return shapes


def disc_sheet(upper: str, lower: str) -> Entry:
    """Plate between two end plates, thicker in front where the spine is lordotic."""
    a, b = row(upper), row(lower)
    n = NAMES.index(lower)
    middle, up, back = along(0.5 * (_ARC[n - 1] + _ARC[n]))
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
    points, ways, flats = [[0.0, 9.5, 1630.0, 13.0 + grow_mm], [0.0, 9.0, 1616.0, 12.5 + grow_mm]], \
        [[0, 1, 0], [0, 1, 0]], [0.80, 0.76]  # fmt: skip
    for name in NAMES[1:]:
        _, _, _, depth, wide, deep, *_ = row(name)
        center, up, back = along(_ARC[NAMES.index(name)])
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
    discs = [disc_sheet(a, b) for a, b in zip(NAMES[1:], NAMES[2:], strict=False)]
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
        "# printed by tools/build_spine.py; shares of a site are those of the volumes of the shapes",
        entries,
    ), end="")  # fmt: skip


if __name__ == "__main__":
    main()
