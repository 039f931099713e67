"""Tubes of the bowel: loops of the small bowel in what is left free, colon with haustra.

python tools/make_bowel_loops.py small_bowel|colon

A thread from the duodenojejunal flexure to the cecum is lengthened step by step. Its parts push
one another away and are pushed from the walls and from other organs, while its stiffness keeps
it smooth; so it folds into loops as the bowel does. Prints the points ``[x, y, z, r]`` of the
tubes in ``src/milligray/data/anatomy/abdomen.toml``, in canonical coordinates [mm].
"""

import argparse

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.build import build_anatomy
from milligray.anatomy.parameters import AnatomyParameters

FIRST_MM = ((30.0, -38.0, 1162.0), (33.0, -52.0, 1158.0), (40.0, -52.0, 1145.0))
MIDDLE_MM = (
    (45.0, -40.0, 1110.0),
    (10.0, -45.0, 1060.0),
    (5.0, -30.0, 1000.0),
    (-25.0, -25.0, 985.0),
)
LAST_MM = ((-40.0, -34.0, 1034.0), (-54.0, -33.0, 1038.0), (-66.0, -33.0, 1042.0))
COLON_MM = (
    (-80, -40, 1016, 15), (-83, -38, 1036, 21), (-87, -24, 1066, 21), (-89, -10, 1096, 20),
    (-89, -10, 1116, 19), (-82, -30, 1130, 18), (-60, -48, 1128, 17), (-32, -53, 1110, 17),
    (-2, -54, 1098, 17), (30, -54, 1104, 17), (56, -50, 1126, 16), (78, -40, 1158, 16),
    (94, -24, 1192, 16), (102, 0, 1208, 15.5), (105, 20, 1192, 14), (103, 25, 1160, 13),
    (97, 20, 1120, 12.5), (95, 8, 1080, 12.5), (90, -10, 1050, 12.5), (78, -26, 1024, 12.5),
    (58, -32, 1003, 13), (36, -20, 994, 13.5), (14, 4, 1006, 13.5), (-14, 8, 1014, 13.5),
    (-32, 10, 1000, 13.5), (-22, 26, 984, 13), (-4, 36, 982, 12), (2, 42, 976, 11),
)  # fmt: skip
"""Middle line of the colon from the cecum to the rectum."""
HAUSTRA_MM, HAUSTRA = 33.0, 0.13
STEP_MM = 7.0
REST = 1.25
"""Rest length of the steps over their mean length: what stretches the thread into loops."""
APART_MM = 25.0
CLEAR_MM = 8.0
TURNS = 4000
TOP_MM, LOW_MM = 1160.0, 925.0
FREE = ("torso_fat", "small_bowel")


def free_distance(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray, float]:
    """Depth [mm] within what is free below `TOP_MM`, with the origin and edge of its voxels."""
    labels = [v for v, n in anatomy.names.items() if n in FREE]
    free = np.isin(anatomy.structure, labels)
    z = anatomy.grid.axis_centers_mm(0)
    free[(z > TOP_MM) | (z < LOW_MM)] = False
    # thin gaps and the fat of the wall do not count
    spacing = float(anatomy.grid.spacing_mm[0])
    depth = ndimage.distance_transform_edt(free).astype(np.float32) * spacing
    origin = np.array([anatomy.grid.axis_centers_mm(axis)[0] for axis in (0, 1, 2)])
    return (
        depth - ndimage.distance_transform_edt(~free).astype(np.float32) * spacing,
        origin,
        spacing,
    )


def grow_thread(
    depth: np.ndarray, origin: np.ndarray, spacing: float, length_mm: float, seed: int
) -> np.ndarray:
    """Points of the thread, shape (n, 3), columns x, y, z [mm]."""
    chance = np.random.default_rng(seed)
    slope = np.stack([ndimage.gaussian_filter(g, 1.0) for g in np.gradient(depth, spacing)])
    ends = np.array(FIRST_MM), np.array(LAST_MM)
    knots = np.concatenate([ends[0], MIDDLE_MM, ends[1]])
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    p = CubicSpline(arc, knots)(np.linspace(0, arc[-1], int(arc[-1] / STEP_MM) + 1))
    wanted = int(length_mm / STEP_MM)
    for turn in range(TURNS):
        if len(p) < wanted and turn % 8 == 0:
            k = int(chance.integers(4, len(p) - 4))
            p = np.insert(p, k, 0.5 * (p[k - 1] + p[k]) + chance.normal(0, 0.5, 3), axis=0)
        p[2:-2] += _moves(p, depth, slope, origin, spacing)[2:-2]
    return p


def _moves(p, depth, slope, origin, spacing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    move = np.zeros_like(p)
    # neighbors keep their distance
    d = np.diff(p, axis=0)
    far = np.linalg.norm(d, axis=1, keepdims=True) + 1e-6
    pull = 0.45 * d * (1.0 - REST * STEP_MM / far)
    move[:-1] += pull
    move[1:] -= pull
    # stiffness
    bend = p[:-2] - 2.0 * p[1:-1] + p[2:]
    move[1:-1] += 0.24 * bend
    move[2:] -= 0.08 * bend
    move[:-2] -= 0.08 * bend
    # loops push one another away
    n = len(p)
    apart = p[:, None] - p[None]
    distance = np.linalg.norm(apart, axis=2) + 1e-6
    along = np.abs(np.arange(n)[:, None] - np.arange(n)[None])
    push = np.where(along > 5, np.clip(APART_MM - distance, 0.0, 8.0), 0.0)
    move += 0.14 * (apart / distance[..., None] * push[..., None]).sum(axis=1)
    # walls and other organs
    at = ((p[:, ::-1] - origin) / spacing).T
    shallow = np.clip(CLEAR_MM - ndimage.map_coordinates(depth, at, order=1), 0.0, 12.0)
    away = np.stack([ndimage.map_coordinates(s, at, order=1) for s in slope], axis=1)
    away /= np.linalg.norm(away, axis=1, keepdims=True) + 1e-3
    move += 0.4 * away[:, ::-1] * shallow[:, None]
    size = np.linalg.norm(move, axis=1, keepdims=True)
    return move * np.minimum(1.0, 2.5 / (size + 1e-9))


def main() -> None:
    """Print the points of the tube."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("small_bowel", "colon"))
    parser.add_argument("--length-mm", type=float, default=2300.0)
    parser.add_argument("--radius-mm", type=float, default=11.0)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    if args.which == "colon":
        print_tube(*colon())
        return
    anatomy = build_anatomy(AnatomyParameters(sex="male"), spacing_mm=3.0)
    p = grow_thread(*free_distance(anatomy), args.length_mm, args.seed)
    print_tube(*loops(p, args.radius_mm))


def loops(p: np.ndarray, radius_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Thread with radii: wide in the jejunum, narrower in the ileum, with slow waves."""
    arc, smooth, _ = _along(p, 16.0)
    radius = radius_mm * (1.08 - 0.16 * arc / arc[-1] + 0.07 * np.sin(arc / 21.0))
    radius[:2], radius[-2:] = 0.95 * radius_mm, 0.8 * radius_mm
    return smooth, radius


def colon() -> tuple[np.ndarray, np.ndarray]:
    """The colon with its haustra, which fade toward the rectum."""
    knots = np.array(COLON_MM, dtype=np.float64)
    arc, smooth, radius = _along(knots[:, :3], 8.25, knots[:, 3])
    depth = HAUSTRA * np.interp(arc / arc[-1], [0.0, 0.02, 0.7, 1.0], [0.0, 1.0, 0.8, 0.2])
    return smooth, radius * (1.0 + depth * np.cos(2.0 * np.pi * arc / HAUSTRA_MM))


def _along(p, step_mm, values=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Arc lengths, points and values at equal steps along a smooth line."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))])
    at = np.linspace(0.0, arc[-1], int(arc[-1] / step_mm) + 1)
    return at, CubicSpline(arc, p)(at), None if values is None else np.interp(at, arc, values)


def print_tube(points: np.ndarray, radius: np.ndarray) -> None:
    """Print the points of a tube as TOML."""
    rows = ", ".join(
        f"[{x:.0f}, {y:.0f}, {z:.0f}, {r:.1f}]" for (x, y, z), r in zip(points, radius, strict=True)
    )
    print(f"points = [{rows}]")


if __name__ == "__main__":
    main()
