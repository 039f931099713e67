"""Loops over the voxels of whole bodies: layers that lie on each other."""

import numpy as np

from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import BoolArray, FloatArray


def fine(coarse: FloatArray, stride: int, shape: tuple[int, int, int]) -> FloatArray:
    """A field on the voxels of a grid from every `stride`-th one."""
    if stride == 1:
        return coarse
    out = np.empty(shape, dtype=np.float32)
    upsample(np.ascontiguousarray(coarse), stride, out)
    return out


def distance_from(inside: BoolArray, spacing_mm: float) -> FloatArray:
    """Distance from what is inside, along chamfers, at most 8 % off [mm].

    Notes
    -----
    Two sweeps with steps of 1, sqrt(2) and sqrt(3) voxels (Borgefors 1986).
    """
    out = np.where(inside, np.float32(0), np.float32(1e3))
    chamfer(out, np.float32(spacing_mm))
    return out


def level_of(values: FloatArray, free: FloatArray, wanted: float) -> float:
    """Level below which `wanted` free voxels lie, by a fine histogram."""
    low, step, n = -250.0, 0.01, 60000
    counts = np.zeros(n, dtype=np.int64)
    histogram(values, free, low, step, counts)
    return float(low + step * np.searchsorted(np.cumsum(counts), wanted))


@voxel_loop
def upsample(coarse, stride, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Linear between coarse voxels."""
    nz, ny, nx = out.shape
    cz, cy, cx = coarse.shape
    for k in range(nz):
        k0 = min(k // stride, cz - 1)
        k1 = min(k0 + 1, cz - 1)
        w = np.float32((k - k0 * stride) / stride) if k1 > k0 else np.float32(0)
        for j in range(ny):
            j0 = min(j // stride, cy - 1)
            j1 = min(j0 + 1, cy - 1)
            v = np.float32((j - j0 * stride) / stride) if j1 > j0 else np.float32(0)
            for i in range(nx):
                i0 = min(i // stride, cx - 1)
                i1 = min(i0 + 1, cx - 1)
                u = np.float32((i - i0 * stride) / stride) if i1 > i0 else np.float32(0)
                a = coarse[k0, j0, i0] + u * (coarse[k0, j0, i1] - coarse[k0, j0, i0])
                b = coarse[k0, j1, i0] + u * (coarse[k0, j1, i1] - coarse[k0, j1, i0])
                c = coarse[k1, j0, i0] + u * (coarse[k1, j0, i1] - coarse[k1, j0, i0])
                d = coarse[k1, j1, i0] + u * (coarse[k1, j1, i1] - coarse[k1, j1, i0])
                a += v * (b - a)
                c += v * (d - c)
                out[k, j, i] = a + w * (c - a)


@voxel_loop
def histogram(values, free, low, step, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Counts of the values of free voxels."""
    v, f = values.ravel(), free.ravel()
    for n in range(v.size):
        if f[n]:
            at = int((v[n] - low) / step)
            if 0 <= at < counts.size:
                counts[at] += 1


@voxel_loop
def take(structure, tissue, values, level, label, code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give free voxels below a level to a structure."""
    s, t, v = structure.ravel(), tissue.ravel(), values.ravel()
    for n in range(v.size):
        if s[n] == 0 and v[n] < level:
            s[n] = label
            t[n] = code


@voxel_loop
def replace(structure, tissue, values, level, old, label, code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give voxels of one structure below a level to another."""
    s, t, v = structure.ravel(), tissue.ravel(), values.ravel()
    for n in range(v.size):
        if s[n] == old and v[n] < level:
            s[n] = label
            t[n] = code


@voxel_loop
def take_outermost(structure, tissue, old, label, code, share):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give an even share of the voxels of `old` with a face to the outside to another structure.

    Returns how many such voxels there are, whatever the share.
    """
    nk, nj, ni = structure.shape
    count = 0
    due = 0.0
    for k in range(nk):
        for j in range(nj):
            for i in range(ni):
                if structure[k, j, i] != old:
                    continue
                if (
                    (k > 0 and structure[k - 1, j, i] == 0)
                    or (k < nk - 1 and structure[k + 1, j, i] == 0)
                    or (j > 0 and structure[k, j - 1, i] == 0)
                    or (j < nj - 1 and structure[k, j + 1, i] == 0)
                    or (i > 0 and structure[k, j, i - 1] == 0)
                    or (i < ni - 1 and structure[k, j, i + 1] == 0)
                ):
                    count += 1
                    due += share
                    if due >= 1.0:
                        due -= 1.0
                        structure[k, j, i] = label
                        tissue[k, j, i] = code
    return count


@voxel_loop
def count_tissues(structure, tissue, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Number of voxels of every tissue within the body."""
    s, t = structure.ravel(), tissue.ravel()
    for n in range(s.size):
        if s[n] != 0:
            counts[t[n]] += 1


@voxel_loop
def union(a, b, blend, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Smooth union of two fields (quadratic blend)."""
    nz, ny, nx = out.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                p, q = a[k, j, i], b[k, j, i]
                h = max(blend - abs(p - q), np.float32(0)) / blend
                out[k, j, i] = min(p, q) - np.float32(0.25) * blend * h * h


@voxel_loop
def chamfer(distance, spacing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Distances from the voxels of distance zero, in place."""
    nz, ny, nx = distance.shape
    for sweep in range(2):
        for kk in range(nz):
            k = kk if sweep == 0 else nz - 1 - kk
            step = -1 if sweep == 0 else 1
            for jj in range(ny):
                j = jj if sweep == 0 else ny - 1 - jj
                for ii in range(nx):
                    i = ii if sweep == 0 else nx - 1 - ii
                    best = distance[k, j, i]
                    if best == 0.0:
                        continue
                    before = k + step
                    if 0 <= before < nz:
                        for m in range(max(j - 1, 0), min(j + 2, ny)):
                            for n in range(max(i - 1, 0), min(i + 2, nx)):
                                steps = 1 + abs(m - j) + abs(n - i)
                                far = distance[before, m, n] + spacing * np.sqrt(np.float32(steps))
                                best = min(best, far)
                    row = j + step
                    if 0 <= row < ny:
                        for n in range(max(i - 1, 0), min(i + 2, nx)):
                            steps = 1 + abs(n - i)
                            far = distance[k, row, n] + spacing * np.sqrt(np.float32(steps))
                            best = min(best, far)
                    if 0 <= i + step < nx:
                        best = min(best, distance[k, j, i + step] + spacing)
                    distance[k, j, i] = best
