"""Distance-like fields of shapes on a box of voxels: ellipsoids, tubes, balls, stacked sections.

Every field is negative inside a shape and about the distance to its surface [mm] near it.
Voxels are looked at in canonical coordinates: ``x_c = (x - bx[k]) / ax[k]`` (and so for y) within
the slice ``k`` that lies at the canonical height ``zc[k]``.
"""

import numpy as np

from milligray.patient.voxel_loop import voxel_loop

ADD, CUT, KEEP = 0, 1, 2
FAR = np.float32(1e3)


@voxel_loop
def _joined(a, b, operation, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Smooth union, difference or intersection of two fields (quadratic blend)."""
    if operation == 1:
        b = -b
    if operation == 0:
        if blend <= 0.0:
            return min(a, b)
        h = max(blend - abs(a - b), 0.0) / blend
        return min(a, b) - 0.25 * h * h * blend
    if blend <= 0.0:
        return max(a, b)
    h = max(blend - abs(a - b), 0.0) / blend
    return max(a, b) + 0.25 * h * h * blend


@voxel_loop
def join_ellipsoid(field, zc, ax, bx, ay, by, y, x, box, center, radii, rotation, power, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Superellipsoid ``sum |q_i / r_i|^p = 1``, first-order distance ``(k - 1) / |grad k|``."""
    smallest = min(radii[0], radii[1], radii[2])
    pa, pb, pc = 1.0 / radii[0], 1.0 / radii[1], 1.0 / radii[2]
    less = power - 1.0
    for k in range(box[0], box[1]):
        dz = zc[k] - center[2]
        narrower = 1.0 / ax[k]
        for j in range(box[2], box[3]):
            dy = (y[j] - by[k]) / ay[k] - center[1]
            # along the three axes, in radii: at x = 0, and its change with x
            a0 = (rotation[1, 0] * dy + rotation[2, 0] * dz) * pa
            b0 = (rotation[1, 1] * dy + rotation[2, 1] * dz) * pb
            c0 = (rotation[1, 2] * dy + rotation[2, 2] * dz) * pc
            a1, b1, c1 = rotation[0, 0] * pa, rotation[0, 1] * pb, rotation[0, 2] * pc
            for i in range(box[4], box[5]):
                dx = (x[i] - bx[k]) * narrower - center[0]
                a, b, c = abs(a0 + a1 * dx), abs(b0 + b1 * dx), abs(c0 + c1 * dx)
                if power == 2.0:
                    level = np.sqrt(a * a + b * b + c * c)
                    slope = np.sqrt((a * pa) ** 2 + (b * pb) ** 2 + (c * pc) ** 2)
                    grown = level
                else:
                    sa, sb, sc = a**less, b**less, c**less
                    level = (sa * a + sb * b + sc * c) ** (1.0 / power)
                    slope = np.sqrt((sa * pa) ** 2 + (sb * pb) ** 2 + (sc * pc) ** 2)
                    grown = level**less
                value = (level - 1.0) * (smallest if level < 0.3 else grown / slope)
                field[k, j, i] = _joined(field[k, j, i], value, op, blend)


@voxel_loop
def join_tube(field, zc, ax, bx, ay, by, y, x, reach, points, radii, normals, flat, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Chain of round cones; across `normals` the radius is `flat` times the radius.

    With `op` not a union, every voxel of the box is looked at.
    """
    nk, nj, ni = field.shape
    scratch = np.full(field.shape, np.float32(1e3), dtype=np.float32)
    for s in range(points.shape[0] - 1):
        px, py, pz = points[s, 0], points[s, 1], points[s, 2]
        ex, ey, ez = points[s + 1, 0] - px, points[s + 1, 1] - py, points[s + 1, 2] - pz
        r0, r1 = radii[s], radii[s + 1]
        length2 = max(ex * ex + ey * ey + ez * ez, 1e-9)
        per_length2 = 1.0 / length2
        far = max(r0, r1) + reach
        for k in range(nk):
            dz = zc[k] - pz
            narrower = 1.0 / ax[k]
            if dz < min(0.0, ez) - far or dz > max(0.0, ez) + far:
                continue
            j0, j1 = _span(
                y,
                (py + min(0.0, ey) - far) * ay[k] + by[k],
                (py + max(0.0, ey) + far) * ay[k] + by[k],
            )
            i0, i1 = _span(
                x,
                (px + min(0.0, ex) - far) * ax[k] + bx[k],
                (px + max(0.0, ex) + far) * ax[k] + bx[k],
            )
            for j in range(j0, j1):
                dy = (y[j] - by[k]) / ay[k] - py
                for i in range(i0, i1):
                    dx = (x[i] - bx[k]) * narrower - px
                    t = (dx * ex + dy * ey + dz * ez) * per_length2
                    t = min(max(t, 0.0), 1.0)
                    rx, ry, rz = dx - t * ex, dy - t * ey, dz - t * ez
                    f = flat[s] + t * (flat[s + 1] - flat[s])
                    if f < 1.0:
                        nx = normals[s, 0] + t * (normals[s + 1, 0] - normals[s, 0])
                        ny = normals[s, 1] + t * (normals[s + 1, 1] - normals[s, 1])
                        nz = normals[s, 2] + t * (normals[s + 1, 2] - normals[s, 2])
                        across = rx * nx + ry * ny + rz * nz
                        along2 = max(rx * rx + ry * ry + rz * rz - across * across, 0.0)
                        r = r0 + t * (r1 - r0)
                        level = np.sqrt(along2 / (r * r) + across * across / (f * f * r * r))
                        slope = np.sqrt(along2 / r**4 + across * across / (f * r) ** 4)
                        if level < 0.3:
                            value = (level - 1.0) * f * r
                        else:
                            value = (level - 1.0) * level / slope
                    else:
                        r = r0 + t * (r1 - r0)
                        within = scratch[k, j, i] + r
                        square = rx * rx + ry * ry + rz * rz
                        if within <= 0.0 or square >= within * within:
                            continue  # roots only where one is nearer
                        value = np.sqrt(square) - r
                    if value < scratch[k, j, i]:  # noqa: PLR1730 - a store only where nearer
                        scratch[k, j, i] = value
    for k in range(nk):
        for j in range(nj):
            for i in range(ni):
                if op != 0 or scratch[k, j, i] < 999.0:
                    field[k, j, i] = _joined(field[k, j, i], scratch[k, j, i], op, blend)


@voxel_loop
def join_balls(field, zc, ax, bx, ay, by, y, x, reach, centers, radii, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Union of balls: sheets and other swept surfaces, sampled densely."""
    nk, nj, ni = field.shape
    scratch = np.full(field.shape, np.float32(1e3), dtype=np.float32)
    for s in range(centers.shape[0]):
        far = radii[s] + reach
        for k in range(nk):
            dz = zc[k] - centers[s, 2]
            if abs(dz) > far:
                continue
            narrower = 1.0 / ax[k]
            j0, j1 = _span(
                y, (centers[s, 1] - far) * ay[k] + by[k], (centers[s, 1] + far) * ay[k] + by[k]
            )
            i0, i1 = _span(
                x, (centers[s, 0] - far) * ax[k] + bx[k], (centers[s, 0] + far) * ax[k] + bx[k]
            )
            for j in range(j0, j1):
                dy = (y[j] - by[k]) / ay[k] - centers[s, 1]
                for i in range(i0, i1):
                    dx = (x[i] - bx[k]) * narrower - centers[s, 0]
                    within = scratch[k, j, i] + radii[s]
                    square = dx * dx + dy * dy + dz * dz
                    if within > 0.0 and square < within * within:  # roots only where one is nearer
                        scratch[k, j, i] = np.sqrt(square) - radii[s]
    for k in range(nk):
        for j in range(nj):
            for i in range(ni):
                if op != 0 or scratch[k, j, i] < 999.0:
                    field[k, j, i] = _joined(field[k, j, i], scratch[k, j, i], op, blend)


@voxel_loop
def join_sections(field, ax, bx, ay, by, y, x, beyond, cx, half, cy, front, back, power, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Stack of superelliptic cross-sections, radial distance in the slice, one row per slice.

    `beyond` [mm] is how far the slice lies beyond the ends of the stack (0 within).
    """
    nk, nj, ni = field.shape
    for k in range(nk):
        p = np.float32(power[k])
        root = np.float32(1.0) / p
        for j in range(nj):
            dy = (y[j] - by[k]) / ay[k] - cy[k]
            v = np.float32(abs(dy / (front[k] if dy < 0.0 else back[k]))) ** p
            for i in range(ni):
                dx = (x[i] - bx[k]) / ax[k] - cx[k]
                u = np.float32(abs(dx / half[k])) ** p
                level = max(float((u + v) ** root), 1e-3)
                radius = np.sqrt(dx * dx + dy * dy)
                if radius < 1e-3:
                    value = -min(half[k], front[k], back[k])
                else:
                    value = radius * (1.0 - 1.0 / level)
                if beyond[k] > 0.0:
                    value = np.sqrt(max(value, 0.0) ** 2 + beyond[k] ** 2)
                field[k, j, i] = _joined(field[k, j, i], value, op, blend)


@voxel_loop
def join_plane(field, zc, ax, bx, ay, by, y, x, point, normal, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Half-space behind a plane; `normal` points out of it."""
    nk, nj, ni = field.shape
    for k in range(nk):
        dz = zc[k] - point[2]
        for j in range(nj):
            dy = (y[j] - by[k]) / ay[k] - point[1]
            for i in range(ni):
                dx = (x[i] - bx[k]) / ax[k] - point[0]
                value = dx * normal[0] + dy * normal[1] + dz * normal[2]
                field[k, j, i] = _joined(field[k, j, i], value, op, blend)


@voxel_loop
def join_field(field, other, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Another field over the same voxels."""
    nk, nj, ni = field.shape
    for k in range(nk):
        for j in range(nj):
            for i in range(ni):
                field[k, j, i] = _joined(field[k, j, i], other[k, j, i], op, blend)


@voxel_loop
def join_heights(field, zc, ax, bx, ay, by, y, x, x0, y0, step, height, stiff, op, blend):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """What lies below a surface ``z = h(x, y)``: ``stiff * (z - h)``, bilinear on a lattice."""
    nk, nj, ni = field.shape
    my, mx = height.shape
    for k in range(nk):
        for j in range(nj):
            v = min(max(((y[j] - by[k]) / ay[k] - y0) / step, 0.0), my - 1.001)
            m = int(v)
            v -= m
            for i in range(ni):
                u = min(max(((x[i] - bx[k]) / ax[k] - x0) / step, 0.0), mx - 1.001)
                n = int(u)
                u -= n
                low = height[m, n] + u * (height[m, n + 1] - height[m, n])
                high = height[m + 1, n] + u * (height[m + 1, n + 1] - height[m + 1, n])
                at = low + v * (high - low)
                low = stiff[m, n] + u * (stiff[m, n + 1] - stiff[m, n])
                high = stiff[m + 1, n] + u * (stiff[m + 1, n + 1] - stiff[m + 1, n])
                value = (zc[k] - at) * (low + v * (high - low))
                field[k, j, i] = _joined(field[k, j, i], value, op, blend)


@voxel_loop
def _span(centers, low, high):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """First and past-last index of ascending equidistant centers between two bounds."""
    n = centers.size
    step = centers[1] - centers[0] if n > 1 else 1.0
    first = int(np.ceil((low - centers[0]) / step))
    last = int(np.floor((high - centers[0]) / step)) + 1
    return max(first, 0), min(last, n)
