"""Do the labels belong to this CT? One check for every command that takes labels."""

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.segment.organs import OrganMap
from milligray.segment.plausibility import measure_organs, sentences
from milligray.volume import Grid

_ADVICE = "check that both belong to the same patient and examination"


def check_labels(
    patient: Patient,
    organs: OrganMap,
    *,
    ct_grid: Grid | None = None,
    labels_grid: Grid | None = None,
    accept: bool = False,
) -> tuple[str, ...]:
    """Refuse labels that are not this patient's, and warn of doubtful ones.

    Parameters
    ----------
    patient : Patient
    organs : OrganMap
        Of the labels, on the grid of ``patient.ct``.
    ct_grid : Grid, optional
        Of the CT as it was read (default: ``patient.ct``, which may have been interpolated).
    labels_grid : Grid, optional
        Of the labels as they were given; None: a segmenter made them from this CT.
    accept : bool
        Go on with labels that would be refused; the warning says so.

    Returns
    -------
    tuple of str
        Warnings, for the report and the manifest.

    Raises
    ------
    InputError
        If organs contradict the CT, or are doubtful and lie on the grid of another image.

    Notes
    -----
    Limits and how often they fail: `milligray.segment.plausibility` and docs/validation. Labels
    of another patient who lay in the same place and whose organs happen to hold the right
    tissues pass.
    """
    if patient.ct is None:
        return ()
    found = measure_organs(patient, organs)
    wrong, doubtful = sentences(found, doubtful=False), sentences(found, doubtful=True)
    is_elsewhere = labels_grid is not None and not covers_same_place(
        labels_grid, ct_grid or patient.ct.grid
    )
    grid = ["the labels cover another part of space than the CT"] if is_elsewhere else []
    if wrong or (doubtful and is_elsewhere):
        reasons = "; ".join((*doubtful, *grid))
        if not accept:
            raise InputError(
                f"the labels do not fit this CT: {reasons}; {_ADVICE}, leave these organs out of"
                " the labels, or go on with --force"
            )
        return (f"LABELS CONTRADICT THE CT, accepted as asked (--force): {reasons}; {_ADVICE}",)
    if doubtful or grid:
        return (f"LABELS DOUBTFUL: {'; '.join((*doubtful, *grid))}; {_ADVICE}",)
    return ()


def covers_same_place(labels: Grid, ct: Grid) -> bool:
    """Whether the faces of two axis-aligned grids lie within a voxel (of the coarser) everywhere.

    Labels made on a CT have its grid, or a segmenter's coarser or finer one of the same image.
    """
    for axis in range(3):
        size = max(labels.spacing_mm[axis], ct.spacing_mm[axis])
        for end in (0, -1):
            outward = -0.5 if end == 0 else 0.5
            of_labels, of_ct = (
                grid.axis_centers_mm(axis)[end] + outward * grid.spacing_mm[axis]
                for grid in (labels, ct)
            )
            if abs(of_labels - of_ct) > size:
                return False
    return True
