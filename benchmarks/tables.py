"""Tables of the themes, as lines of Markdown."""

from collections.abc import Iterable, Iterator
from typing import Any

EGSNRC_CORD_MERIT = 51.0
"""EGSnrc, spinal cord of a head-and-neck patient, one core of a comparable machine."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table."""
    names = list(head)
    return [
        "| " + " | ".join(cells) + " |" for cells in (names, ["---"] * len(names), *map(list, rows))
    ]


def speed(found: dict[str, Any]) -> Iterator[str]:
    """Rates, voxel and organ figures of merit by problem and estimator."""
    names = list(found["problems"][0]["estimators"])
    rows = []
    for problem in found["problems"]:
        by = problem["estimators"]
        base = by["analogue"]["voxel_merit"]
        rows.append([
            problem["problem"], f"{problem['voxels'] / 1e6:.2f}",
            *(f"{by[n]['mh_s']:.2f}" for n in names),
            f"{base:.3g}",
            *(f"{by[n]['voxel_merit']:.3g} (x{by[n]['voxel_merit'] / base:.1f})"
              for n in names if n != "analogue"),
        ])  # fmt: skip
    yield from table(
        ["problem", "M voxels", *(f"{n}, Mh/s/core" for n in names),
         *(f"{n}, voxel merit" for n in names)], rows,
    )  # fmt: skip
    yield ""
    yield "Figures of merit by organ (1/s per core):"
    yield ""
    rows = []
    for problem in found["problems"]:
        by = problem["estimators"]
        organs = sorted(by["analogue"]["organ_merit"].items(), key=lambda item: item[1])
        for organ, merit in _some(organs):
            others = [by[n]["organ_merit"][organ] for n in names if n != "analogue"]
            rows.append([
                problem["problem"], organ, f"{merit:.3g}",
                *(f"{m:.3g} (x{m / merit:.1f})" for m in others),
            ])  # fmt: skip
    yield from table(["problem", "organ", "analogue", *(n for n in names if n != "analogue")], rows)
    yield ""
    yield (
        "Three organs with the least merit, the middle one and the two with the most, of each"
        f" problem. EGSnrc gave {EGSNRC_CORD_MERIT:.0f} for the spinal cord of a head-and-neck"
        " patient (measured on one core of a comparable machine); ours: "
        + ", ".join(_cords(found, names)) + "."
    )  # fmt: skip


def _some(rows: list[tuple[str, float]]) -> list[tuple[str, float]]:
    if len(rows) <= 6:
        return rows
    return [*rows[:3], rows[len(rows) // 2], *rows[-2:]]


def _cords(found: dict[str, Any], names: list[str]) -> Iterator[str]:
    for problem in found["problems"]:
        if "head and neck" in problem["problem"]:
            for name in names:
                merit = problem["estimators"][name]["organ_merit"].get("spinal_cord")
                if merit is not None:
                    yield f"{merit:.0f} ({problem['problem'].split(',')[0]}, {name})"


def exam(found: dict[str, Any]) -> Iterator[str]:
    """Seconds to 1 %, and agreement of the estimators."""
    yield "Wall seconds of the transport, compiled and tables of the materials made before:"
    yield ""
    yield from table(
        ["exam", "organs", "n", "seconds", "core-seconds", "histories", "threads", "worst organ"],
        ([
            t["problem"], t["organs"], str(t["n_organs"]), f"{t['seconds']:.1f}",
            f"{t['core_seconds']:.1f}", f"{t['histories'] / 1e6:.1f} M", str(t["threads"]),
            f"{t['worst_organ']} {t['worst_percent']:.2f} %",
        ] for t in found["times"]),
    )  # fmt: skip
    yield ""
    yield (
        "The other estimators against the analogue one, organ doses, independent seeds (deviation"
        " in combined standard deviations):"
    )
    yield ""
    rows = []
    for entry in found["agreement"]:
        for name, organs in entry["estimators"].items():
            organ, percent, sigmas = max(organs, key=lambda row: abs(row[2]))
            square = sum(row[2] ** 2 for row in organs) / len(organs)
            rows.append([
                entry["problem"], name, str(len(organs)), f"{square**0.5:.2f}",
                f"{sigmas:+.1f} sigma ({percent:+.2f} %), {organ}",
            ])  # fmt: skip
    yield from table(["exam", "estimator", "organs", "RMS sigma", "largest"], rows)


def decays(found: dict[str, Any]) -> Iterator[str]:
    """Whole-body nuclides."""
    yield (
        f"Reference man of {found['voxels'] / 1e6:.1f} M voxels of {found['spacing_mm']:g} mm,"
        " activity like FDG's (invented): transport to 1 % in every organ of at least 10 mL that is"
        " not filled with air. A history is one emission; of a positron two pairs of photons are"
        " followed. Plain photons of 511 keV there:"
        f" {found['photons_per_core_second'] / 1e6:.2f} M a core second."
    )
    yield ""
    yield from table(
        ["problem", "organs", "seconds", "core seconds", "M histories", "worst organ", "there, %"],
        ([r["problem"], str(r["n_organs"]), f"{r['seconds']:.0f}", f"{r['core_seconds']:.0f}",
          f"{r['histories'] / 1e6:.1f}", r["worst_organ"], f"{r['worst_percent']:.2f}"]
         for r in found["rows"]),
    )  # fmt: skip


def predict(found: dict[str, Any]) -> Iterator[str]:
    """Predictions by stage, beside Monte Carlo."""
    truth = {row["exam"]: row for row in found["monte_carlo"]}
    yield (
        "Core seconds from the files to the tables of organ doses, one thread, networks that ship;"
        " best of some runs after the first. Imports come once a process:"
        f" {found['imports_cpu_s']:.2f} s. Monte Carlo: to 1 % in every organ of at least 10 mL,"
        " compiled and CTDI simulated before. A network that is not made for an exam is timed all"
        " the same, its doses are not to be used."
    )
    yield ""
    stages = list(dict.fromkeys(name for row in found["rows"] for name in row["stages"]))
    rows = []
    for row in found["rows"]:
        carlo = truth[row["exam"]]["cpu_s"]
        rows.append([
            row["exam"], row["network"] + ("" if row["made_for_it"] else " (not made for it)"),
            str(row["organs"]), f"{row['first_cpu_s']:.2f}", f"{row['cpu_s']:.2f}",
            f"{carlo:.1f}", f"x{carlo / row['cpu_s']:.0f}",
        ])  # fmt: skip
    yield from table(
        ["exam", "network", "organs", "first, s", "again, s", "Monte Carlo, s", "faster"], rows
    )
    yield ""
    yield "Wall milliseconds by stage, the best run:"
    yield ""
    yield from table(
        ["exam", "network", *stages],
        ([r["exam"], r["network"], *(f"{1000 * r['stages'].get(s, 0.0):.0f}" for s in stages)]
         for r in found["rows"]),
    )  # fmt: skip
    for row in found["refused"]:
        yield ""
        yield f"{row['network']} refuses {row['exam']}: {row['reason']}"


def tg195(found: dict[str, Any]) -> Iterator[str]:
    """Case 5 beside the peer."""
    peer = found["peer"]
    organs = list(peer["merit"])
    rows = [[peer["name"], f"{peer['mh_s']:.2f}", *(f"{m:.3g}" for m in peer["merit"].values())]]
    for name, row in found["estimators"].items():
        merits = [
            f"{row['merit'][o]:.3g} (x{row['merit'][o] / peer['merit'][o]:.1f})" for o in organs
        ]
        rows.append([f"milligray, {name}", f"{row['mh_s']:.2f}", *merits])
    yield (
        f"{found['voxels'] / 1e6:.1f} M voxels of 1 mm, 120 kVp, tube at 0 degrees, one thread."
        f" {peer['name']}: {peer['how']}."
    )
    yield ""
    yield from table(["code", "Mh/s/core", *(f"merit {o}" for o in organs)], rows)


def peers(found: dict[str, Any]) -> Iterator[str]:
    """The peer beside ours."""
    yield f"`{found['peer']}`, installed by the benchmark into an environment of its own."
    yield ""
    base = next(r for r in found["rows"] if r["code"] == "ompMC")
    yield from table(
        ["code", "Mh/s/core", "voxel merit", "against ompMC", "keV per history"],
        ([
            r["code"], f"{r['mh_s']:.2f}", f"{r['voxel_merit']:.3g}",
            f"x{r['voxel_merit'] / base['voxel_merit']:.1f}",
            f"{r['kev_per_history']:.3f} ± {r['kev_per_history_sigma']:.3f}",
        ] for r in found["rows"]),
    )  # fmt: skip
    yield ""
    yield "Energy in parts of the box, relative to ours by track length [%]:"
    yield ""
    parts = list(next(iter(found["dose"].values())))
    yield from table(
        ["code", *parts],
        ([code, *(f"{row[p]:+.2f}" for p in parts)] for code, row in found["dose"].items()),
    )
    yield ""
    yield f"The problem and what differs: {found['how']}."


def hotspots(found: dict[str, Any]) -> Iterator[str]:
    """Shares of the kernel and functions of an exam."""
    parts = ("emission", "march", "interaction", "tally")
    yield "Share of the time of a history, track-length estimator, one thread:"
    yield ""
    rows = []
    for k in found["kernel"]:
        total = k["ns_per_history"]
        rows.append([
            k["problem"], f"{total:.0f}", *(f"{100 * k['ns'][p] / total:.0f} %" for p in parts),
            f"{k['counts']['scores']:.0f}", f"{k['counts']['collisions']:.1f}",
            f"{k['counts']['random_numbers']:.0f}", f"{k['ns_per_step']:.1f}",
            f"{k['ns_per_tally']:.1f}", f"{k['ns_per_collision']:.0f}",
        ])  # fmt: skip
    yield from table(
        ["problem", "ns per history", *parts, "voxel steps", "collisions", "random numbers",
         "ns per step", "ns per score", "ns per collision"], rows,
    )  # fmt: skip
    yield ""
    yield (
        "Steps, collisions and random numbers per history. The parts come from runs that do less:"
        " photons that miss the box, a patient thinned to 1/10000, scores that all go to one bin."
    )
    e = found["exam"]
    yield ""
    yield (
        f"Functions with the most own time in a whole exam ({e['slices']} slices of 512 x 512,"
        f" 1 M histories, {e['seconds']:.0f} s under the profiler):"
    )
    yield ""
    yield from table(
        ["function", "calls", "own seconds"],
        ([f"`{f['name']}`" if "waiting" not in f["name"] else f["name"], str(f["calls"]),
          f"{f['seconds']:.2f}"] for f in e["functions"]),
    )  # fmt: skip


def large(found: dict[str, Any]) -> Iterator[str]:
    """Memory and time of large exams."""
    yield (
        "512 x 512 DICOM images of 0.78 mm, 2 mm apart, from files to report in a process of its"
        f" own; {found['histories'] / 1e6:g} M histories, so the transport is short, unless 1 %"
        " stands there. Estimated: what `--dry-run` says beforehand."
    )
    yield ""
    yield from table(
        ["slices", "voxel mm", "organs", "M voxels", "estimated GB", "measured GB", "deviation",
         "seconds", "of which transport", "files MB (estimated)"],
        ([
            str(r["slices"]), f"{r['voxel_mm']:g}", r["organs"],
            f"{r['transport_voxels'] / 1e6:.2f}", f"{r['estimated_peak_mb'] / 1e3:.2f}",
            f"{r['measured_peak_mb'] / 1e3:.2f}",
            f"{100 * (r['estimated_peak_mb'] / r['measured_peak_mb'] - 1):+.0f} %",
            f"{r['total_seconds']:.0f}", f"{r['seconds']['transport']:.0f}",
            f"{r['measured_disk_mb']:.0f} ({r['estimated_disk_mb']:.0f})",
        ] for r in found["rows"]),
    )  # fmt: skip
    biggest = found["rows"][-1]
    yield ""
    yield f"By stage, the last row ({biggest['slices']} slices):"
    yield ""
    yield from table(
        ["stage", "estimated MB", "measured MB", "seconds"],
        ([
            name, f"{biggest['estimated_mb'][name]:.0f}" if name in biggest["estimated_mb"] else "",
            f"{peak:.0f}", f"{biggest['seconds'][name]:.1f}",
        ] for name, peak in biggest["measured_mb"].items()),
    )  # fmt: skip


def threads(found: dict[str, Any]) -> Iterator[str]:
    """Thread scaling."""
    yield f"{found['problem']}, wall seconds of a run with tables and grids:"
    yield ""
    one = found["rows"][0]["mh_s"]
    yield from table(
        ["threads", "Mh/s", "against one", "Mh per core-second"],
        ([str(r["threads"]), f"{r['mh_s']:.2f}", f"x{r['mh_s'] / one:.2f}",
          f"{r['mh_per_core_s']:.2f}"] for r in found["rows"]),
    )  # fmt: skip


def startup(found: dict[str, Any]) -> Iterator[str]:
    """Seconds to start."""
    yield from table(
        ["what", "seconds"], ([r["what"], f"{r['seconds']:.2f}"] for r in found["rows"])
    )
