"""Print ribs, costal cartilages, sternum, scapula and clavicle of the reference man.

python tools/build_rib_cage.py > src/milligray/data/anatomy/thorax_bones.toml

The ribs lie on the region `thoracic_cavity`: from the joint at the vertebra along the transverse
process to the angle, then round the cage while they descend to the costal cartilage.
"""

import tomllib

import numpy as np
from anatomy_toml import REGIONS, Entry, set_shares, to_toml
from girdle_parts import GIRDLE, sternum
from scipy.interpolate import PchipInterpolator
from spine_levels import Level

# rib: x of its angle; x and z of its front end; half height; half thickness
RIBS = {
    1: (44, 37, 1451, 7.2, 3.0),
    2: (50, 56, 1416, 6.2, 3.4),
    3: (55, 71, 1385, 6.1, 3.7),
    4: (59, 83, 1354, 6.2, 3.8),
    5: (62, 93, 1323, 6.4, 3.9),
    6: (65, 101, 1291, 6.6, 4.0),
    7: (68, 107, 1259, 6.7, 4.0),
    8: (70, 111, 1227, 6.7, 4.0),
    9: (71, 113, 1196, 6.6, 3.9),
    10: (71, 115, 1165, 6.4, 3.8),
    11: (68, 0, 1138, 5.9, 3.5),
    12: (60, 0, 1148, 5.0, 3.2),
}
FLOATING_ENDS = {11: 98.0, 12: 52.0}
"""Direction of the free tips from the back of the cage [degrees]."""
UPPER_ROW = [1488, 0, 48, 30, 20, 28, 2.0]
"""Section of the cage at the first ribs, where the region closes over the top of the lungs."""
OFF_MM = 5.0
"""Middle of a rib outside the inner surface of the cage."""

# cartilage: points x, z after the end of the rib, to the sternum or to the cartilage above
CARTILAGES = {
    1: [(31, 1446), (25, 1442)],
    2: [(42, 1407), (23, 1404)],
    3: [(50, 1378), (22, 1383)],
    4: [(60, 1349), (38, 1356), (22, 1364)],
    5: [(72, 1317), (46, 1330), (22, 1346)],
    6: [(84, 1279), (58, 1295), (34, 1319), (20, 1331)],
    7: [(93, 1245), (74, 1254), (50, 1281), (28, 1307), (16, 1316)],
    8: [(101, 1214), (86, 1226), (72, 1244), (64, 1256)],
    9: [(106, 1184), (97, 1197), (88, 1211), (82, 1222)],
    10: [(111, 1156), (107, 1166), (101, 1181), (96, 1191)],
}


def cage_rows() -> np.ndarray:
    """Sections of the inner surface of the cage: z, x, half width, y, front, back, power."""
    with REGIONS.open("rb") as file:
        found = tomllib.load(file)["structure"]
    cage = next(s for s in found if s["name"] == "thoracic_cavity")
    rows = [r for r in cage["shape"][0]["rows"] if r[0] <= UPPER_ROW[0] - 10]
    return np.array(sorted([*rows, UPPER_ROW]), dtype=np.float64)


_ROWS = cage_rows()
_OUTLINE = PchipInterpolator(_ROWS[:, 0], _ROWS[:, 2:])


def outline(z: float) -> np.ndarray:
    """Half width, y of the center, depth to the front, to the back, and power at a height."""
    return np.asarray(_OUTLINE(np.clip(z, _ROWS[0, 0], _ROWS[-1, 0])))


def level(point: np.ndarray) -> float:
    """Radial distance to the inner surface, positive outside [mm]."""
    half, cy, front, back, power = outline(point[2])
    dy = point[1] - cy
    size = (abs(point[0] / half) ** power + abs(dy / (front if dy < 0 else back)) ** power) ** (
        1.0 / power
    )
    return float(np.hypot(point[0], dy) * (1.0 - 1.0 / size))


def outward(point: np.ndarray) -> np.ndarray:
    """Direction away from the cage."""
    steps = np.eye(3) * 2.0
    slope = np.array([level(point + s) - level(point - s) for s in steps])
    return np.asarray(slope / np.linalg.norm(slope))


def on_cage(angle_rad: float, z: float, off_mm: float) -> np.ndarray:
    """Point at an angle from the back, `off_mm` outside the inner surface, at height z."""
    half, cy, front, back, power = outline(z)
    s, c = np.sin(angle_rad), np.cos(angle_rad)
    point = np.array([
        half * abs(s) ** (2 / power) * np.sign(s),
        cy + (back if c > 0 else front) * abs(c) ** (2 / power) * np.sign(c), z,
    ])  # fmt: skip
    way = outward(point)
    way[2] *= 0.3
    return point + off_mm * way / np.linalg.norm(way)


def angle_of(x: float, z: float, off_mm: float, front: bool) -> float:
    """Angle at which the surface has this x, behind or in front."""
    angles = np.linspace(0.02, 0.5 * np.pi, 400)
    if front:
        angles = np.pi - angles
    places = np.array([on_cage(a, z, off_mm)[0] for a in angles])
    return float(angles[np.argmin(np.abs(places - x))])


def front_point(x: float, z: float, off_mm: float) -> list[float]:
    """Point on the front of the cage."""
    point = on_cage(angle_of(x, z, off_mm, front=True), z, off_mm) if x > 1 else None
    if point is None:
        point = on_cage(np.pi, z, off_mm)
    return [float(x), float(point[1]), float(z)]


def rib(n: int) -> Entry:
    """One left rib."""
    x_angle, x_end, z_end, high, thick = RIBS[n]
    v = Level(f"T{n}")
    t_head = v.top + 1.0 if 1 < n < 11 else v.top - 6.0
    p_tip = v.wall + (15.0 if n < 11 else 12.0)
    head = np.array(v.at(0.5 * v.w + 2.0, v.wall - 5.0, t_head))
    neck = np.array(v.at(0.5 * (0.5 * v.w + v.tp) + 1.0, v.wall + 1.5, 0.5 * t_head + 1.5))
    tubercle = np.array(v.at(v.tp - 1.5, p_tip - 8.5, 3.0 if n > 2 else 4.0))
    if n > 10:
        neck, tubercle = (np.array(v.at(x, p, t_head - 1)) for x, p in (
            (0.5 * v.w + 9, v.wall + 2), (0.5 * v.w + 20, v.wall + 10)))  # fmt: skip
    z_angle = tubercle[2] - (10.0 if n > 2 else (2.0 if n == 1 else 6.0))
    start = angle_of(x_angle, z_angle, OFF_MM, front=False)
    end = np.deg2rad(FLOATING_ENDS[n]) if n in FLOATING_ENDS else angle_of(
        x_end, z_end, OFF_MM, front=True)  # fmt: skip
    fall = PchipInterpolator([0.0, 0.15, 0.45, 0.75, 1.0], [0.0, 0.11, 0.45, 0.80, 1.0])
    # even steps along the way, which the angle of a flat oval does not give
    angles = np.linspace(start, end, 200)
    flat = np.array([on_cage(a, z_angle + (z_end - z_angle) * (a - start) / (end - start), OFF_MM)
                     for a in angles])  # fmt: skip
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(flat[:, :2], axis=0), axis=1))])
    count = 11 if n < 11 else (8 if n == 11 else 5)
    shares = np.linspace(0, 1, count)
    round_cage = [
        on_cage(float(np.interp(s * way[-1], way, angles)), z_angle + (z_end - z_angle) * fall(s),
                OFF_MM) for s in shares
    ]  # fmt: skip
    middle = 0.5 * (tubercle + round_cage[0])
    middle[1] = tubercle[1] + 0.62 * (round_cage[0][1] - tubercle[1])
    points = np.array([head, neck, tubercle, middle, *round_cage])
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    normals, radii, flats = [], [], []
    for k, (point, tangent) in enumerate(zip(points, tangents, strict=True)):
        upright = np.cross(tangent, [0, 0, 1.0])
        upright *= np.sign(upright[1]) if k < 4 else 1.0
        way_out = outward(point)
        weight = np.clip((k - 2) / 3.0, 0.0, 1.0)
        normal = (1 - weight) * upright / np.linalg.norm(upright) + weight * way_out
        if n == 1:
            normal = np.array([0.25 * way_out[0], 0.25 * way_out[1], 0.95])
        elif n == 2:
            normal = normal + np.array([0, 0, 0.35]) * weight
        normal -= (normal @ tangent) * tangent
        normals.append([float(q) for q in normal / np.linalg.norm(normal)])
        size = (4.6, 4.2, 5.2, 5.6)[k] if k < 4 else high
        deep = (4.2, 3.4, 4.4, 4.2)[k] if k < 4 else thick
        if n > 10:
            size = min(size, high) * np.interp(k / (len(points) - 1), [0, 0.6, 1], [1, 1, 0.6])
        elif k == len(points) - 1:
            size, deep = high + 0.6, thick + 0.5
        radii.append(float(size))
        flats.append(float(min(deep / size, 1.0)))
    return {
        "name": f"rib_left_{n}", "mirror": True, "order": 60 + 0.1 * n, "tissue": "cortical_bone",
        "core": "spongiosa", "site": ["ribs", 0], "reach": 8,
        "shape": [{
            "type": "tube",
            "points": [[*(float(q) for q in p), r] for p, r in zip(points, radii, strict=True)],
            "flat": flats, "normal": normals,
        }],
    }  # fmt: skip


def cartilages() -> Entry:
    """Costal cartilages of both sides."""
    shapes = []
    for n, after in CARTILAGES.items():
        x_end, z_end = RIBS[n][1:3]
        off = OFF_MM + 0.5
        places = [front_point(x_end, z_end, OFF_MM), *(front_point(x, z, off) for x, z in after)]
        radius = 5.6 if n < 8 else 5.0
        points = [
            [*p, radius * (1.0 if k < len(places) - 1 else 0.85)] for k, p in enumerate(places)
        ]
        normals = [[float(q) for q in outward(np.array(p))] for p in places]
        shapes.append({
            "type": "tube", "both": True, "points": points, "flat": 0.68, "normal": normals,
            "note": f"cartilage {n}",
        })  # fmt: skip
    for x, z in ((60, 1312), (66, 1277)):  # 5 to 6, 6 to 7
        shapes.append({
            "type": "ellipsoid", "both": True, "center": front_point(x, z, OFF_MM + 0.5),
            "radii": [5, 4, 13], "note": "bridge between cartilages",
        })  # fmt: skip
    return {
        "name": "costal_cartilages", "order": 66, "tissue": "cartilage", "volume_ml": [105, 70],
        "blend": 4, "reach": 8, "shape": shapes,
    }  # fmt: skip


def main() -> None:
    """Print the file."""
    entries = [sternum(front_point), *(rib(n) for n in RIBS), cartilages(), *GIRDLE]
    set_shares(entries)
    print(to_toml(
        "# thorax_bones: structures in canonical coordinates of the reference man [mm], version 1\n"
        "# printed by tools/build_rib_cage.py; shares of a site: as the volumes of the shapes",
        entries,
    ), end="")  # fmt: skip


if __name__ == "__main__":
    main()
