"""Sternum, scapula, clavicle; canonical places [mm]."""

from collections.abc import Callable, Sequence

from anatomy_toml import Entry

FrontPoint = Callable[[float, float, float], list[float]]


def sternum(front_point: FrontPoint) -> Entry:
    """Manubrium, body and xiphoid process on the front of the cage."""
    # height, half width, thickness, how much the upper edge dips in the middle
    manubrium = [(1452, 24, 11, 4), (1444, 28, 11, 0), (1430, 23, 10.5, 0), (1416, 18, 10, 0),
                 (1404, 17, 10.5, 0)]  # fmt: skip
    body = [(1400, 17, 10, 0), (1380, 16, 9.5, 0), (1360, 16.5, 9, 0), (1340, 18, 9, 0),
            (1322, 19, 9, 0), (1306, 14, 8.5, 0)]  # fmt: skip

    def grid(rows: Sequence[tuple[float, float, float, float]]) -> list[list[list[float]]]:
        out = []
        for z, half, thick, dip in rows:
            line = []
            for u in (-1.0, -0.5, 0.0, 0.5, 1.0):
                height = z - dip * (1.0 - abs(u))
                _, y, _ = front_point(0.0, height, 1.0 + 0.5 * thick)
                line.append([u * (half - 0.4 * thick), y + 1.5 * u * u, height, thick])
            out.append(line)
        return out

    tip = [
        [*front_point(0.0, z, 5.0), r]
        for z, r in ((1310, 9.0), (1294, 8.0), (1280, 6.5), (1268, 4.0))
    ]
    for k, back in enumerate((0.0, 0.5, 2.0, 4.0)):
        tip[k][1] += back
    return {
        "name": "sternum", "order": 50, "site": ["sternum", 0], "tissue": "cortical_bone",
        "core": "spongiosa", "blend": 4, "reach": 8,
        "shape": [
            {"type": "sheet", "points": grid(manubrium), "note": "manubrium"},
            {"type": "sheet", "points": grid(body), "note": "body"},
            {"type": "tube", "points": tip, "flat": 0.45, "normal": [0, 1, 0],
             "note": "xiphoid process"},
        ],
    }  # fmt: skip


_BLADE = [
    # from the upper angle down; each row from the medial border to the lateral one
    [[80, 78, 1470, 5.5], [84, 76, 1470, 4], [90, 73, 1469, 4], [97, 69.5, 1467, 4.5]],
    [[72, 88, 1450, 5.5], [90, 79, 1450, 3], [108, 68, 1449, 3], [124, 57, 1446, 5]],
    [[70, 95, 1430, 5.5], [94, 84, 1430, 3], [118, 70, 1429, 4], [143, 51, 1426, 9]],
    [[71, 100, 1408, 5.5], [94, 90, 1408, 3], [118, 75, 1408, 4], [144, 54, 1406, 10]],
    [[75, 103, 1384, 5.5], [93, 96, 1384, 3], [111, 85, 1384, 3.5], [131, 68, 1385, 9]],
    [[82, 103, 1358, 5.5], [92, 99, 1358, 3.5], [104, 92, 1359, 4], [117, 81, 1361, 8]],
    [[91, 101, 1332, 7], [95, 100, 1331, 6], [99, 98, 1331, 6.5], [103, 95, 1334, 7.5]],
]

_SPINE = [
    # crest of the spine: rows from the blade to the free edge
    [[72, 92, 1421, 4.5], [95, 84, 1425, 5], [119, 71, 1428, 5.5], [138, 60, 1431, 8]],
    [[72, 94, 1421, 5], [96, 93, 1428, 4.5], [122, 85, 1435, 5], [146, 73, 1441, 7]],
    [[72, 96, 1421, 6], [97, 99, 1429, 7.5], [124, 94, 1438, 8.5], [151, 82, 1446, 10.5]],
]

GIRDLE: list[Entry] = [
    {
        "name": "scapula_left", "mirror": True, "limb": "girdle_left", "order": 52,
        "site": ["scapulae", 0], "tissue": "cortical_bone", "core": "spongiosa", "blend": 5,
        "reach": 8,
        "shape": [
            {"type": "sheet", "points": _BLADE, "note": "blade"},
            {"type": "sheet", "points": _SPINE, "note": "spine"},
            {"type": "tube", "points": [[140, 54, 1415, 9], [147, 49, 1413, 11],
                                        [152, 46, 1412, 13.5]],
             "note": "neck"},
            {"type": "ellipsoid", "center": [152.5, 46, 1412], "radii": [5.5, 13, 18.5],
             "turn": [0, 0, -18], "note": "glenoid"},
            {"type": "ellipsoid", "op": "cut", "center": [180, 36, 1412], "radii": [26, 26, 26],
             "note": "glenoid cavity"},
            {"type": "tube", "points": [[149, 82, 1445, 6.5], [165, 75, 1448, 10],
                                        [179, 63, 1449, 12.5],
                                        [185, 49, 1448, 12.5], [184, 36, 1447, 9.5]],
             "flat": 0.42, "normal": [0.25, 0.05, 1], "note": "acromion"},
            {"type": "tube", "points": [[140, 48, 1432, 9], [141, 38, 1439, 7.5],
                                        [148, 24, 1440, 6.5],
                                        [157, 12, 1431, 5.5]], "note": "coracoid process"},
        ],
    },
    {
        "name": "clavicula_left", "mirror": True, "limb": "clavicle_left", "order": 51,
        "site": ["clavicles", 0], "tissue": "cortical_bone", "core": "spongiosa", "reach": 8,
        "shape": [
            {"type": "tube", "points": [[23, -36, 1453, 10.5], [31, -38.5, 1454, 9],
                                        [48, -41, 1456, 6.8],
                                        [70, -39, 1457.5, 6.2], [95, -27, 1457.5, 6.2],
                                        [120, -7, 1456, 6.4],
                                        [142, 11, 1453, 7.2],
                                        [157, 23, 1450, 7.8], [169, 33, 1448, 7.5]],
             "flat": [1, 1, 1, 1, 0.98, 0.9, 0.75, 0.66, 0.62], "normal": [0, 0, 1]},
        ],
    },
]  # fmt: skip
