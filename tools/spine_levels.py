"""The levels of the spine: sizes, places and axes of every vertebra, and shapes placed along them.

Sizes are near those of Panjabi et al. 1991 and 1992 (quantitative anatomy of cervical, thoracic and
lumbar vertebrae; from memory, not verified), made larger for a man of 176 cm and for the bone
volumes of ICRP 145. Places of a vertebra are given as
(x to the left, p to posterior, t upward) from the center of its body, along the curve of the spine.
"""

from collections.abc import Sequence

import numpy as np
from anatomy_toml import Entry
from scipy.interpolate import CubicSpline

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
CENTERS = np.array(
    [(1615, -8), (1600, -6), *(r[:2] for r in LEVELS.values()), (1020, 44), (995, 60), (968, 74)],
    dtype=np.float64,
)
ARC = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(CENTERS, axis=0), axis=1))])
_CURVE = CubicSpline(ARC, CENTERS)


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
        self.center, self.up, self.back = along(ARC[self.n])
        gap_above = row(NAMES[self.n - 1])[6] if name not in ("C1", "C2") else 5.0
        self.top = 0.5 * (ARC[self.n] - ARC[self.n - 1]) - 0.5 * gap_above
        self.bottom = -(0.5 * (ARC[self.n + 1] - ARC[self.n]) - 0.5 * self.disc)
        self.wall = 0.5 * self.d
        self.turn = [float(np.rad2deg(-np.arctan2(self.up[1], self.up[2]))), 0, 0]

    def at(self, x: float, p: float, t: float) -> list[float]:
        """Point of the body frame."""
        return [float(v) for v in self.center + np.array([x, 0, 0]) + p * self.back + t * self.up]

    def way(self, x: float, p: float, t: float) -> list[float]:
        """Direction in the axes of the level."""
        return [float(v) for v in np.array([x, 0, 0]) + p * self.back + t * self.up]

    def tube(self, points: Sequence[tuple[float, ...]], note: str, **more: object) -> Entry:
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

    def both(self, points: Sequence[tuple[float, ...]], note: str, **more: object) -> list[Entry]:
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
            arc = ARC[self.n] - (end + (0.5 * row(NAMES[self.n - 1])[6] if end > 0 else
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
