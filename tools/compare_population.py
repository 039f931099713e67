"""Compare a folder of synthetic persons with real patients: size, fat and organs.

    milligray phantom population ... --out POPULATION
    python tools/compare_population.py POPULATION [--shared ../shared/data] [--write docs]

Writes validation/population.md, validation/population.csv and pictures/population_*.png.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from population_measures import REGIONS, Measured, measure

mpl.use("Agg")
import matplotlib.pyplot as plt

TORSO = ("ts_abdomen_pelvis", "ts_abdomen_30")
COLORS = {"real": "#b5502f", "synthetic": "#2f6db5"}
HEAD = """\
# Synthetic population beside real patients

`python tools/compare_population.py POPULATION --write docs` makes this page, the table
`population.csv` and the pictures. Real: the head-and-neck patients of the OpenKBP set (Babier et
al. 2021; clinical contours at about 4 mm, many with contrast medium, shoulders partly outside the
field of view) and {torso} abdominal scan(s) of TotalSegmentator's test set. Synthetic:
`{folder}`. Both are measured by the same code, in the same window of height.

Head and neck: z = 0 is the middle height of the mandible; abdomen: the middle of L2 and L3. *Fat
share*: voxels of -190 to -30 HU in the body outline of the window. *Section*: organ volume over its
length in the window. Real and synthetic: median (5 to 95 %). *In range*: share of the synthetic
persons inside the real 5 to 95 %; 0.9 would be a population like the real one, more means less
spread. The real patients are ill, mostly older and no random sample: a difference of medians is a
question, not a verdict. Clinical contours of spinal cord and larynx are drawn generously.
"""


def real_patients(shared: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, CT and labels of the real patients."""
    for ct in sorted((shared / "headneck").glob("*_ct.nii.gz")):
        name = ct.name.removesuffix("_ct.nii.gz")
        yield name, ct, ct.with_name(f"{name}_labels.nii.gz")
    for name in TORSO:
        ct = shared / "torso" / f"{name}_ct.nii.gz"
        if ct.exists():
            yield name, ct, ct.with_name(f"{name}_labels.nii.gz")


def synthetic_persons(folder: Path) -> Iterator[tuple[str, Path, Path, Path]]:
    """Name, CT, labels and their names from the list of a population."""
    with (folder / "patients.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            paths = [folder / row[column] for column in ("input", "organs", "organ_names")]
            yield row["exam"], paths[0], paths[1], paths[2]


def measure_all(folder: Path | None, shared: Path) -> dict[str, dict[str, list[Measured]]]:
    """Measured persons by region and kind."""
    found: dict[str, dict[str, list[Measured]]] = {
        name: {"real": [], "synthetic": []} for name in REGIONS
    }
    people = [("real", *files, None) for files in real_patients(shared)]
    if folder is not None:
        people += [("synthetic", *files) for files in synthetic_persons(folder)]
    for kind, name, ct, labels, names in people:
        for region_name, region in REGIONS.items():
            measured = measure(name, ct, labels, names, region)
            if measured is not None:
                found[region_name][kind].append(measured)
    return found


def numbers(people: Sequence[Measured], key: str) -> np.ndarray:
    """One quantity of all who have it."""
    return np.array([float(p.row[key]) for p in people if key in p.row])


def keys_of(kinds: dict[str, list[Measured]]) -> list[str]:
    """Quantities of a region in the order of first appearance."""
    keys = dict.fromkeys(k for people in kinds.values() for p in people for k in p.row)
    order = ("effective", "water", "fat", "volume", "section")
    rank = {word: i for i, word in enumerate(order)}
    return sorted((k for k in keys if k != "name"), key=lambda k: rank[k.split("_")[0]])


def summary(values: np.ndarray) -> str:
    """Median (5 to 95 %)."""
    if not values.size:
        return "-"
    low, middle, high = np.percentile(values, [5, 50, 95])
    digits = 2 if middle < 2.0 else 1 if middle < 20.0 else 0
    spread = f" ({low:.{digits}f}-{high:.{digits}f})" if values.size > 2 else ""
    return f"{middle:.{digits}f}{spread}"


def table(kinds: dict[str, list[Measured]]) -> str:
    """Markdown table of a region."""
    lines = [
        "| quantity | real n | real | synthetic n | synthetic | ratio of medians | in range |",
        "|---|---|---|---|---|---|---|",
    ]
    for key in keys_of(kinds):
        real, synthetic = (numbers(kinds[kind], key) for kind in ("real", "synthetic"))
        ratio = inside = "-"
        if real.size and synthetic.size:
            ratio = f"{np.median(synthetic) / np.median(real):.2f}"
            if real.size > 4:
                low, high = np.percentile(real, [5, 95])
                inside = f"{np.mean((synthetic >= low) & (synthetic <= high)):.2f}"
        label = key.replace("_mm2", " [mm2]").replace("_mm", " [mm]").replace("_ml", " [mL]")
        lines.append(
            f"| {label.replace('_', ' ')} | {real.size} | {summary(real)} | {synthetic.size}"
            f" | {summary(synthetic)} | {ratio} | {inside} |"
        )
    return "\n".join(lines) + "\n"


def draw(region: str, kinds: dict[str, list[Measured]], path: Path) -> None:
    """Diameters along the height, and the distribution of fat and organ volumes."""
    volumes = [k for k in keys_of(kinds) if k.startswith(("volume", "fat"))][:6]
    figure, axes = plt.subplots(1, 3, figsize=(12.0, 3.8), width_ratios=(1, 1, 1.3))
    for axis, curve, title in zip(
        axes, ("effective_mm", "water_mm"), ("effective diameter", "water-equivalent diameter"),
        strict=False,
    ):  # fmt: skip
        for kind, people in kinds.items():
            band(axis, people, curve, COLORS[kind], f"{kind} (n = {len(people)})")
        axis.set_xlabel("height [mm]")
        axis.set_ylabel(f"{title} [mm]")
        axis.legend(frameon=False, fontsize=8)
    for i, key in enumerate(volumes):
        scale = np.median(np.concatenate([numbers(p, key) for p in kinds.values()]))
        for kind, shift in (("real", -0.17), ("synthetic", 0.17)):
            values = numbers(kinds[kind], key) / scale
            if values.size:
                axes[2].boxplot(
                    values, positions=[i + shift], widths=0.28, whis=(5, 95), showfliers=False,
                    patch_artist=True, boxprops={"facecolor": COLORS[kind], "alpha": 0.6},
                    medianprops={"color": "black"},
                )  # fmt: skip
    labels = [k.replace("volume_", "").removesuffix("_ml").replace("_", "\n") for k in volumes]
    axes[2].set_xticks(range(len(volumes)), labels, fontsize=7)
    axes[2].set_ylabel("over the median of all")
    figure.suptitle(region, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def band(axis: plt.Axes, people: Sequence[Measured], curve: str, color: str, label: str) -> None:
    """Median line with the 5 to 95 % band, where at least a third is in the image."""
    if not people:
        return
    stack = np.stack([getattr(p, curve) for p in people])
    enough = np.isfinite(stack).sum(axis=0) >= max(1, len(people) // 3)
    z = people[0].z_mm[enough]
    low, middle, high = np.nanpercentile(stack[:, enough], [5, 50, 95], axis=0)
    axis.plot(z, middle, color=color, label=label)
    axis.fill_between(z, low, high, color=color, alpha=0.2, linewidth=0)


def diameter_and_bmi(folder: Path | None, people: Sequence[Measured]) -> str:
    """Effective diameter of the abdomen against BMI, beside the published line."""
    if folder is None or not (folder / "population.csv").exists():
        return ""
    with (folder / "population.csv").open(encoding="utf-8", newline="") as file:
        bmi = {row["name"]: float(row["bmi"]) for row in csv.DictReader(file)}
    pairs = [
        (bmi[str(p.row["name"])], float(p.row["effective_L2-L3_mm"]) / 10.0)
        for p in people
        if "effective_L2-L3_mm" in p.row
    ]
    if len(pairs) < 3:
        return ""
    x, y = np.array(pairs).T
    slope, intercept = np.polyfit(x, y, 1)
    rest = y - (slope * x + intercept)
    off = y - (0.76 * x + 9.4)
    return (
        f"Effective diameter at L2-L3 of {x.size} synthetic persons: {slope:.2f} BMI +"
        f" {intercept:.1f} cm (r = {np.corrcoef(x, y)[0, 1]:.2f}, residual {rest.std():.1f} cm)."
        f" Published for the middle slice of abdominal scans: 0.76 BMI + 9.4 cm, r = 0.88"
        f" (doi:10.1186/s41747-018-0070-5); ours minus that: {off.mean():+.1f} cm on the average"
        f" ({off.min():+.1f} to {off.max():+.1f}).\n"
    )


def write_csv(path: Path, found: dict[str, dict[str, list[Measured]]]) -> None:
    """All rows."""
    rows = [
        {"region": region, "kind": kind, **person.row}
        for region, kinds in found.items()
        for kind, people in kinds.items()
        for person in people
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("population", type=Path, nargs="?", help="folder of a population")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", type=Path, help="the docs folder")
    arguments = parser.parse_args()
    found = measure_all(arguments.population, arguments.shared)
    folder = arguments.population.name if arguments.population else "none yet"
    parts = [HEAD.format(torso=len(found["abdomen"]["real"]), folder=folder)]
    for region, kinds in found.items():
        if any(kinds.values()):
            picture = f"population_{region.replace('-', '_')}.png"
            parts += [f"## {region.capitalize()}\n", table(kinds)]
            parts.append(f"![{region}](../pictures/{picture})\n")
            if region == "abdomen":
                parts.append(diameter_and_bmi(arguments.population, kinds["synthetic"]))
            if arguments.write:
                draw(region, kinds, arguments.write / "pictures" / picture)
    print("\n".join(parts))
    if arguments.write:
        page = arguments.write / "validation" / "population.md"
        page.write_text("\n".join(parts), encoding="utf-8")
        write_csv(page.with_suffix(".csv"), found)


if __name__ == "__main__":
    main()
