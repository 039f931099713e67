"""What a set holds: a table, and a page with pictures of some samples."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.folder import SetFolder
from milligray.dataset.settings import SPLITS

PAGE = "page"
_CHOICES = (
    "tube_voltage_kv", "scanner", "bowtie", "collimation_mm", "scan_mode", "region", "nuclide",
    "electrons",
)  # fmt: skip
_NUMBERS = ("pitch", "ctdi_vol_mgy", "modulation_strength", "mean_diameter_mm", "scan_length_mm")
_RUN = ("seconds", "cpu_seconds", "peak_memory_mb")


def set_table(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, protocols and statistics of a set, as plain values.

    Parameters
    ----------
    manifest : mapping
        Content of ``dataset.json``.
    """
    done = {n: e for n, e in manifest["samples"].items() if e["status"] == "done"}
    attributes = [dict(entry["attributes"]) for entry in done.values()]
    source_voxels: Counter[str] = Counter()
    for one in attributes:
        if "scan_high_mm" in one:
            one["scan_length_mm"] = one["scan_high_mm"] - one["scan_low_mm"]
        source_voxels.update(one.get("source_voxels", {}))
    summary = manifest.get("summary", {})
    return {
        "kind": manifest["kind"],
        "state": manifest["state"],
        "created": manifest["created"],
        "code": manifest["code"],
        "by_status": summary.get("by_status", {}),
        "by_split": summary.get("by_split", {}),
        "statistics": summary.get("statistics", {}),
        "protocols": {
            name: dict(sorted(Counter(str(a[name]) for a in attributes if name in a).items()))
            for name in _CHOICES
        }
        | {"source voxels": dict(source_voxels)},
        "numbers": {
            name: found
            for name in _NUMBERS
            if (found := _spread([a[name] for a in attributes if a.get(name) is not None]))
        },
        "run": {
            name: found
            for name in _RUN
            if (found := _spread([e["run"][name] for e in done.values() if name in e["run"]]))
        },
        "arrays": {
            name: {key: about[key] for key in ("shape", "dtype", "unit", "description")}
            for name, about in (next(iter(done.values()))["arrays"].items() if done else ())
        },
        "failures": {
            name: f"{entry['why']}: {entry['reason']}"
            for name, entry in manifest["samples"].items()
            if entry["status"] == "failed"
        },
    }


def text_of(table: Mapping[str, Any]) -> str:
    """Table for a terminal."""
    status = ", ".join(f"{n} {name}" for name, n in table["by_status"].items())
    lines = [f"kind {table['kind']}, {table['state']}: {status}", ""]
    lines.append(f"{'split':12s} {'samples':>8s} {'patients':>9s} {'synthetic':>10s}")
    for split in SPLITS:
        row = table["by_split"].get(split, {})
        lines.append(
            f"{split:12s} {row.get('samples', 0):8d} {row.get('patients', 0):9d}"
            f" {row.get('synthetic', 0):10d}"
        )
    lines.append("")
    for name, counts in table["protocols"].items():
        if counts:
            shown = ", ".join(f"{value} x {n}" for value, n in counts.items())
            lines.append(f"{name}: {shown}")
    lines += ["", f"{'':34s} {'least':>10s} {'median':>10s} {'mean':>10s} {'most':>10s}"]
    for part in ("numbers", "statistics", "run"):
        for name, row in table[part].items():
            values = " ".join(f"{row[key]:10.4g}" for key in ("least", "median", "mean", "most"))
            lines.append(f"{name:34s} {values}")
    lines += ["", "arrays (of the first sample)"]
    for name, about in table["arrays"].items():
        shape = " x ".join(map(str, about["shape"]))
        unit = f" [{about['unit']}]" if about["unit"] else ""
        lines.append(f"  {name:30s} {about['dtype']:5s} {shape:20s} {about['description']}{unit}")
    for name, reason in table["failures"].items():
        lines.append(f"failed: {name}: {reason}")
    return "\n".join(lines) + "\n"


def write_page(
    out: str | Path,
    manifest: Mapping[str, Any],
    table: Mapping[str, Any],
    *,
    samples: int = 4,
) -> Path:
    """Write ``page/index.html`` with a picture of each of some samples.

    Parameters
    ----------
    out : str or Path
        Directory of the set.
    manifest, table : mapping
    samples : int
        How many, spread over the set.

    Returns
    -------
    Path
        Of the page.
    """
    from milligray.dataset.pictures import draw_sample, draw_set  # noqa: PLC0415 - matplotlib

    folder = SetFolder(Path(out))
    done = [name for name, e in manifest["samples"].items() if e["status"] == "done"]
    places = np.linspace(0, len(done) - 1, min(samples, len(done))).round().astype(int)
    page = folder.root / PAGE
    page.mkdir(exist_ok=True)
    for old in page.glob("*.png"):
        old.unlink()
    pictures: list[tuple[str, str]] = []
    if done:
        draw_set(manifest, page / "set.png")
        pictures.append(("The set", "set.png"))
    for name in dict.fromkeys(done[place] for place in places):
        draw_sample(folder.sample_file(name), manifest["kind"], page / f"{name}.png")
        entry = manifest["samples"][name]
        pictures.append((_caption(name, entry), f"{name}.png"))
    target = page / "index.html"
    target.write_text(_html(table, pictures), encoding="utf-8")
    return target


def _caption(name: str, entry: Mapping[str, Any]) -> str:
    a = entry["attributes"]
    if "nuclide" in a:
        drawn = ", ".join(f"{n} {name}" for name, n in a["source_voxels"].items() if n)
        return f"{name} ({entry['split']}): {a['nuclide']}, source voxels: {drawn}"
    return (
        f"{name} ({entry['split']}): {a['tube_voltage_kv']:g} kV, {a['scanner']}, {a['bowtie']}"
        f" bowtie, {a['collimation_mm']:g} mm, CTDIvol {a['ctdi_vol_mgy']:.3g} mGy"
    )


def _html(table: Mapping[str, Any], pictures: Sequence[tuple[str, str]]) -> str:
    figures = "\n".join(
        f'<figure><figcaption>{html.escape(text)}</figcaption><img src="{html.escape(file)}"'
        f' alt="{html.escape(text)}"></figure>'
        for text, file in pictures
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Training set</title>"
        "<style>body{font:14px sans-serif;max-width:1100px;margin:2em auto;color:#1f2933}"
        "pre{background:#f4f6f8;padding:1em;overflow-x:auto}img{max-width:100%}"
        "figcaption{font-weight:bold;margin-top:1.5em}figure{margin:0}</style>"
        f"<h1>Training set: {html.escape(table['kind'])}</h1>"
        f"<pre>{html.escape(text_of(table))}</pre>{figures}</html>\n"
    )


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        "least": float(np.min(values)), "median": float(np.median(values)),
        "mean": float(np.mean(values)), "most": float(np.max(values)),
    }  # fmt: skip
