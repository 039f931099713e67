"""How a nuclear-medicine dose was computed, in the order of the RECORDS checklist."""

from milligray.report.nm_result import NmResult
from milligray.report.records import NOT_RECORDED, records_rows
from milligray.report.wording import count


def nm_records_table(result: NmResult) -> list[tuple[str, str]]:
    """List what RECORDS asks of a study, as (item, description).

    Parameters
    ----------
    result : NmResult

    Returns
    -------
    list of (str, str)
        Of a method that is no Monte Carlo simulation, only the items that apply.
    """
    rows = records_rows(
        result,
        source=_source(result),
        parameters=("particles", "cutoffs", "surroundings"),
        normalization=(
            f"per decay, times the {count(1e6 * result.tia.total_mbq_s)} decays of the"
            " time-integrated activity"
        ),
    )
    if result.method.startswith("monte-carlo"):
        return rows
    return [(name, text) for name, text in rows if text != NOT_RECORDED]


def _source(result: NmResult) -> str:
    emitted = ", ".join(
        f"{lines.total_yield:.3g} {lines.particle}s" for lines in result.nuclide.emissions
    )
    chain = " with ".join(
        ([result.nuclide.name])
        + [", ".join(p.name for p in result.nuclide.progeny)] * bool(result.nuclide.progeny)
    )
    return (
        f"{chain} (ICRP 107), per decay {emitted}; decays spread over the voxels as the"
        f" time-integrated activity, evenly within each; {result.tia.method}"
    )
