"""What a person sees of a cohort: its plan before, its outcome after."""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milligray.cohort.plan import CohortPlan
    from milligray.cohort.run import CohortSummary

SHOWN_FAILURES = 20


def tell_plan(plan: "CohortPlan", *, json_output: bool) -> None:
    """Write what would be computed to stdout."""
    document: dict[str, Any] = {
        "exams": len(plan.exams),
        "done": len(plan.done),
        "failed_and_kept": len(plan.failed),
        "to_do": [exam.exam for exam in plan.todo],
        "continues": not plan.is_new,
        "cohort_sha256": plan.cohort_sha256,
    }
    if json_output:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    sys.stdout.write(
        f"{document['exams']} exams: {document['done']} done,"
        f" {document['failed_and_kept']} failed and kept, {len(plan.todo)} to compute"
        f" ({'continues' if not plan.is_new else 'new'})\n"
    )


def tell_summary(summary: "CohortSummary", code: int, *, json_output: bool) -> None:
    """Write what was computed to stdout, what failed to stderr; `code` is the exit code."""
    from dataclasses import asdict

    from milligray.cli.cohort_progress import duration

    if json_output:
        document = asdict(summary) | {"out": str(summary.out), "exit_code": code}
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    for exam, kind, reason in summary.failures[:SHOWN_FAILURES]:
        sys.stderr.write(f"failed: {exam} ({kind}): {reason}\n")
    if len(summary.failures) > SHOWN_FAILURES:
        sys.stderr.write(f"and {len(summary.failures) - SHOWN_FAILURES} more, see exams.csv\n")
    sys.stdout.write(
        f"{summary.done} exams done ({summary.computed} in this run), {summary.failed} failed;"
        f" {summary.organ_rows} organ doses; {duration(summary.seconds)}\n"
        f"tables: {summary.out / 'cohort.csv'}, {summary.out / 'exams.csv'}\n"
    )
