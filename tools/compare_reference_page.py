"""The page docs/validation/reference_anatomies.md, from the rows of the comparison tool."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Row = dict[str, str | float]

HEAD = """\
# Reference anatomies: organ doses beside published coefficients

`python tools/compare_reference_coefficients.py --write docs/validation` makes this page,
`reference_anatomies.csv` and `water_cylinder.csv`.

120 kV, fixed current, helical (pitch 1, 40 mm), body bowtie, arms up. Chest: 1 cm beyond the lungs
at both ends. Abdomen: from 1 cm above the liver to the iliac crest. Abdomen-pelvis: to the lower
end of the symphysis. All doses are per CTDIvol in the 32 cm phantom [mGy/mGy].

*Published*: lowest and highest of the numbers of `data/ct_coefficients` for people of normal
weight. Formulas with a size are evaluated at the size of this body, numbers with a known diameter
are brought to it with the slope of AAPM 204, the others stand as they are. A number without a
stated spread counts as ±10 %. Bodies of the other sex, and scans with modulated current (*mod.*),
count only where not at least two publications are left without them. *Inside*: in that spread;
*near*: not more than 15 % beyond it.
"""

LIMITS = """
## Limits

- The published numbers come from other bodies (patients, stylized, voxel and plastic phantoms,
  one cadaver), other scanners and slightly other ranges. Among themselves they differ by 20 to 40
  % for one organ: this finds mistakes, not percents.
- Sources marked * are from memory of the publication (see `data/ct_coefficients/SOURCE.md`).
  Tables of XCAT, NCICT and ICRP 102 could not be read and are missing.
- Urinary bladder: the only numbers are those of Padole et al. (2016), a scan of 50 cm (DLP /
  CTDIvol) that ends well below the symphysis, in a cadaver, and a program with a stylized phantom.
- Organs at the edge of the range (thyroid, stomach and liver in the chest; colon and bladder in
  the pelvis) change most with the range.
- Breast: measured 1.00-1.10 in breasts attached to a plastic thorax (Qi et al. 2016), which stand
  out into the thick part of the bowtie; ours are flatter and nearer to the axis.
- The scanners of the library are models with constructed or published bowties, see
  [scanners](scanners.md).
"""


def write_page(path: Path, rows: Sequence[Row], water: Sequence[Row]) -> None:
    """Write the page."""
    parts = [HEAD, _summary(rows)]
    for body in dict.fromkeys(row["body"] for row in rows):
        mine = [row for row in rows if row["body"] == body]
        parts.append(f"## {str(body).capitalize()}\n")
        regions = dict.fromkeys(row["region"] for row in mine)
        parts += [_table([r for r in mine if r["region"] == region]) for region in regions]
    parts += [_water(water), LIMITS.lstrip("\n")]
    path.write_text("\n".join(parts), encoding="utf-8")


def _summary(rows: Sequence[Row]) -> str:
    count = {f: sum(row["flag"] == f for row in rows) for f in ("inside", "near", "outside")}
    ratio = np.array([float(row["to_middle"]) for row in rows])
    noise = max(float(r["relative_uncertainty"]) for r in rows if float(r["mass_g"]) >= 10.0)
    return (
        f"{len(rows)} rows: {count['inside']} inside, {count['near']} near, {count['outside']}"
        f" outside; ours over the middle of the published spread: median {np.median(ratio):.2f}"
        f" ({ratio.min():.2f}-{ratio.max():.2f}). Statistics of organs of at least 10 g: below"
        f" {100 * noise:.1f} % (k = 1).\n"
    )


def _table(rows: Sequence[Row]) -> str:
    first = rows[0]
    scanners = list(dict.fromkeys(str(row["scanner"]) for row in rows))
    title = (
        f"**{str(first['region']).replace('_', '-')}**: {float(first['length_cm']):.0f} cm (DLP /"
        f" CTDIvol), effective diameter {float(first['diameter_cm']):.1f} cm, outline in the middle"
        f" {float(first['perimeter_cm']):.0f} cm, SSDE / CTDIvol {float(first['ssde']):.2f}.\n"
    )
    lines = [
        title,
        "| organ | " + " | ".join(scanners) + " | published | flag | sources |",
        "|---|" + "---|" * (len(scanners) + 3),
    ]
    for organ in dict.fromkeys(row["organ"] for row in rows):
        mine = {str(r["scanner"]): r for r in rows if r["organ"] == organ}
        row = next(iter(mine.values()))
        ours = " | ".join(f"{float(mine[s]['ours']):.2f}" for s in scanners)
        flags = "/".join(dict.fromkeys(str(mine[s]["flag"]) for s in scanners))
        kind = " mod." if "modulated" in str(row["current"]) else ""
        lines.append(
            f"| {organ} | {ours} | {float(row['published_low']):.2f}-"
            f"{float(row['published_high']):.2f}{kind} | {flags} | {row['sources']} |"
        )
    return "\n".join(lines) + "\n"


def _water(rows: Sequence[Row]) -> str:
    text = (
        "40 cm of water, the middle 30 cm scanned; dose in the middle section per CTDIvol: on the"
        " axis, at 1 cm depth, mean of the section. AAPM 204 gives 1.14 (±20 %). The mean exceeds"
        " both ends because the body bowtie puts the maximum 2 to 3 cm below the surface.\n"
    )
    lines = [
        "## Water cylinder of 32 cm\n",
        text,
        "| scanner | center | edge | mean | center / edge | mean / AAPM 204 |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        center, edge, mean = (float(row[k]) for k in ("center", "edge", "mean"))
        lines.append(
            f"| {row['scanner']} | {center:.2f} | {edge:.2f} | {mean:.2f} | {center / edge:.2f} |"
            f" {mean / float(row['ssde']):.2f} |"
        )
    return "\n".join(lines) + "\n"
