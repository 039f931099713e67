"""Shapes of a vertebra by region; see `spine_levels` for the axes."""

from anatomy_toml import Entry
from spine_levels import NAMES, Level, row


def cervical(v: Level) -> list[Entry]:
    """C3 to C7."""
    seventh = v.name == "C7"
    side, back = 0.5 * v.cw, v.wall + v.cd
    shapes = v.body()
    shapes += v.balls((0.5 * v.w - 1.5, 0.5, v.top + 0.5), (2.6, 6.0, 3.2), "uncinate process")
    shapes += v.balls((side + 8.5, v.wall + 3.5, 0.0), (5.6, 6.2, 7.4), "articular pillar", 35, 3)
    shapes += v.both(
        [(0.4 * v.w, v.wall - 5, 0.5, 3.4), (side + 5, v.wall + 1, 0.5, 3.4)], "pedicle"
    )
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
                          (4.0, v.wall + v.sp - 3, -v.drop, 3.0)],
                         "spinous process, forked")  # fmt: skip
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
    tip = (v.wall + v.sp, -v.drop)
    shapes.append(
        v.tube(
            [(0, back, -4, 7.0), (0, back + 2 + 0.45 * (tip[0] - back),
              -4 + 0.45 * (tip[1] + 2), 6.0),
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
