"""Write the tables of ``docs/validation/networks.md`` anew from the rows beside it.

milligray evaluate study networks --data SET --out DIR
python tools/write_networks_page.py [DIR]

With DIR, rows and picture are taken over from there first.
"""

import shutil
import sys
from pathlib import Path

from milligray.train.network_rows import read_organ_rows, read_scan_rows
from milligray.train.network_study import ORGANS, SCANS, common_rows, organ_table, tables
from milligray.train.radiomics_fcn.study_page import filled

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "validation" / "networks.md"
ROWS = {name: PAGE.with_name(f"networks_{name}") for name in (ORGANS, SCANS)}


def new_page() -> str:
    """Page with the tables of the rows."""
    rows, scans = read_organ_rows(ROWS[ORGANS]), read_scan_rows(ROWS[SCANS])
    rows = common_rows(rows, list(dict.fromkeys(row.network for row in scans)))
    found = {
        table.name: table.markdown().split("\n", 2)[2].strip()
        for table in (*tables(rows, scans), organ_table(rows))
    }
    return filled(PAGE.read_text(encoding="utf-8"), found)


def main() -> None:
    """Take over what a study wrote, and write the page."""
    if len(sys.argv) > 1:
        for name, path in ROWS.items():
            shutil.copyfile(Path(sys.argv[1]) / name, path)
        shutil.copyfile(Path(sys.argv[1]) / "networks.png", DOCS / "pictures" / "networks.png")
    PAGE.write_text(new_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
