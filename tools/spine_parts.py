"""Bones of the spine that follow no pattern: atlas, axis, sacrum, coccyx; canonical places [mm]."""

from anatomy_toml import Entry


def tube(points: list[list[float]], note: str, **more: object) -> Entry:
    """Tube through canonical points."""
    return {"type": "tube", "points": points, "note": note, **more}


def ball(center: list[float], radii: list[float], note: str, **more: object) -> Entry:
    """Ellipsoid at a canonical place."""
    return {"type": "ellipsoid", "center": center, "radii": radii, "note": note, **more}


def pair(shape: Entry) -> list[Entry]:
    """A shape and its mirror image."""
    other = dict(shape)
    if "points" in shape:
        other["points"] = [[-q[0], *q[1:]] for q in shape["points"]]
    else:
        other["center"] = [-shape["center"][0], *shape["center"][1:]]
        if "turn" in shape:
            a, b, c = shape["turn"]
            other["turn"] = [a, -b, -c]
    if "normal" in shape:
        ways = shape["normal"]
        other["normal"] = (
            [[-v[0], *v[1:]] for v in ways] if isinstance(ways[0], list) else [-ways[0], *ways[1:]]
        )
    return [shape, other]


def axis_and_atlas(axis_body: list[Entry]) -> list[Entry]:
    """C1 and C2."""
    atlas = [
        *pair(ball([19.5, -1, 1615], [7.2, 10.5, 7], "lateral mass", turn=[0, -14, 18])),
        tube([[-17, -9, 1615, 4], [-10, -17, 1615, 4], [0, -20, 1615, 4.6], [10, -17, 1615, 4],
              [17, -9, 1615, 4]], "anterior arch"),
        tube([[-19, 6, 1615, 3.8], [-16, 17, 1615, 3.6], [-8, 24.5, 1614, 3.8], [0, 27, 1613, 4.4],
              [8, 24.5, 1614, 3.8], [16, 17, 1615, 3.6], [19, 6, 1615, 3.8]], "posterior arch"),
        *pair(tube([[23, 1, 1614, 5.5], [31, 2.5, 1612, 5.2], [38, 4.5, 1611, 4.6]],
                   "transverse process")),
        *pair(tube([[29, 2, 1600, 3], [29, 2, 1630, 3]], "transverse foramen", op="cut")),
    ]  # fmt: skip
    axis = [
        *axis_body,
        tube([[0, -6.5, 1602, 6.8], [0, -8, 1609, 5.4], [0, -9, 1615, 5.3], [0, -8.5, 1620, 4.6]],
             "dens"),
        *pair(ball([14, -4, 1604.5], [8.2, 8, 4.8], "superior articular process", turn=[0, 22, 0])),
        *pair(tube([[14, 1, 1603, 4.4], [19, 6, 1598, 4.8], [21, 9, 1591, 5.2]], "isthmus")),
        *pair(ball([21, 7.5, 1591], [5.4, 6, 5.5], "inferior articular process")),
        *pair(tube([[16, 0, 1600, 4], [26, 3, 1595, 3.2]], "transverse process")),
        tube([[-19, 11, 1594, 5], [-11, 20, 1593, 6.5], [0, 26, 1592, 7], [11, 20, 1593, 6.5],
              [19, 11, 1594, 5]], "laminae", flat=0.46,
             normal=[[-0.9, 0.4, 0], [-0.6, 0.8, 0], [0, 1, 0], [0.6, 0.8, 0], [0.9, 0.4, 0]]),
        *pair(tube([[0, 26, 1592, 6], [2.5, 36, 1588, 5], [5, 41, 1585, 3.6]],
                   "spinous process, forked")),
    ]  # fmt: skip
    common = {"tissue": "cortical_bone", "core": "spongiosa", "blend": 3, "reach": 8}
    return [
        {"name": f"vertebrae_{n}", "order": o, "site": ["cervical_vertebrae", 0], **common,
         "shape": s}
        for n, o, s in (("C1", 10, atlas), ("C2", 11, axis))
    ]  # fmt: skip


_BACK = [[0, 0.83, 0.56], [0, 0.86, 0.5], [0, 0.88, 0.47], [0, 0.96, 0.28], [0, 1, 0.05],
         [0, 0.98, -0.2]]  # fmt: skip

_SACRUM_SHAPES: list[Entry] = [
    tube([[0, 30, 1041, 27], [0, 45, 1018, 24], [0, 60, 995, 19], [0, 73, 968, 15.5],
          [0, 79, 945, 13], [0, 78.5, 923, 10]], "bodies S1 to S5",
         flat=[0.66, 0.62, 0.56, 0.52, 0.5, 0.5], normal=_BACK),
    {"type": "plane", "op": "keep", "point": [0, 36, 1032], "normal": [0, -0.56, 0.83],
     "note": "upper end plate"},
    # ala and lateral mass, with the auricular surface at its side
    *pair(tube([[14, 49, 1020, 13], [30, 54, 1019, 13.5], [43, 60, 1012, 13]], "ala")),
    *pair(tube([[43, 61, 1012, 12.5], [43, 69, 998, 12], [38, 78, 980, 10.5], [30, 85, 962, 8],
                [23, 87, 945, 6.5], [15, 84, 929, 6]], "lateral mass")),
    *pair(tube([[18, 66, 1000, 11], [29, 73, 985, 12.5], [19, 79, 972, 9.5], [18, 84, 955, 7.5],
                [12, 82, 938, 6.5]], "bars between the foramina")),
    {"type": "sheet", "note": "fused laminae", "points": [
        [[-24, 68, 1034, 7], [-12, 75, 1037, 6], [0, 79, 1038, 6], [12, 75, 1037, 6],
         [24, 68, 1034, 7]],
        [[-30, 78, 1008, 10], [-15, 84, 1011, 7], [0, 87, 1012, 7], [15, 84, 1011, 7],
         [30, 78, 1008, 10]],
        [[-26, 87, 978, 10], [-13, 93, 979, 7], [0, 95, 980, 7], [13, 93, 979, 7],
         [26, 87, 978, 10]],
        [[-18, 90, 950, 7], [-9, 95, 950, 5], [0, 97, 950, 5], [9, 95, 950, 5], [18, 90, 950, 7]],
    ]},
    tube([[0, 84, 1035, 5.5], [0, 92, 1018, 5.5], [0, 98, 998, 5.5], [0, 101, 975, 5],
          [0, 99, 952, 4]], "median sacral crest"),
    *pair(ball([22, 63, 1042], [5.5, 4.5, 8.5], "superior articular process", turn=[15, 0, 0])),
    *(s for x, y, z, r in ((19, 60, 1006, 5.2), (17, 73, 982, 4.6), (15, 80, 958, 4),
                          (13, 83, 936, 3.4))
      for s in pair(tube([[x + 10, y - 26, z - 9, r + 1.5], [x, y, z, r], [x - 5, y + 8, z + 3, r]],
                         "anterior sacral foramen", op="cut"))),
    *(s for x, y, z, r in ((19, 82, 1006, 2.8), (16, 92, 982, 2.6), (14, 94, 958, 2.3))
      for s in pair(tube([[x - 3, y - 12, z - 3, r], [x, y, z, r], [x + 3, y + 12, z + 3, r]],
                         "posterior sacral foramen", op="cut"))),
]  # fmt: skip

_COCCYX_SHAPES: list[Entry] = [
    tube([[0, 79.5, 915, 9.5], [0, 79, 908, 7.5], [0, 76.5, 901, 5.5], [0, 72.5, 896, 4.2],
          [0, 68.5, 893.5, 3]], "coccyx", flat=[0.5, 0.55, 0.7, 0.8, 1], normal=[0, 0.97, -0.2]),
    *pair(tube([[6, 82, 914, 3], [7, 85, 921, 2.2]], "horn of the coccyx")),
]  # fmt: skip

SACRUM: list[Entry] = [
    {"name": "sacrum", "order": 40, "site": ["sacrum", 0], "blend": 6, "shape": _SACRUM_SHAPES,
     "tissue": "cortical_bone", "core": "spongiosa", "reach": 10},
    {"name": "coccyx", "order": 41, "site": ["sacrum", 0], "blend": 2, "shape": _COCCYX_SHAPES,
     "tissue": "cortical_bone", "core": "spongiosa", "reach": 8},
]  # fmt: skip
