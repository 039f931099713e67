"""Writes the DICOM codes of radionuclides (PS3.16, CID 18 and 4020) from pydicom's dictionaries.

Run: python tools/build_radionuclide_codes.py
"""

import csv
from pathlib import Path

from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

OUT = Path(__file__).parents[1] / "src/milligray/data/radionuclides/dicom_codes.csv"
GROUPS = ("cid18", "cid4020")


def main() -> None:
    """Write one row per code value, old SNOMED-RT values included."""
    rows = set()
    for group in GROUPS:
        collection = getattr(codes, group)
        for keyword in collection.dir():
            code = getattr(collection, keyword)
            rows.add((code.value, code.scheme_designator, code.meaning))
            old = mapping["SCT"].get(code.value) if code.scheme_designator == "SCT" else None
            if old:
                rows.add((old, "SRT", code.meaning))
    with OUT.open("w", newline="", encoding="utf-8") as file:
        file.write("# DICOM PS3.16 codes of radionuclides, table version 1; see SOURCE.md\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code_value", "scheme", "meaning"))
        writer.writerows(sorted(rows, key=lambda row: (row[2], row[1], row[0])))


if __name__ == "__main__":
    main()
