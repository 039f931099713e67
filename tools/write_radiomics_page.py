"""Write the tables of ``docs/validation/radiomics_fcn.md`` anew from what they are made of.

python tools/write_radiomics_page.py

Files: ``radiomics_fcn.csv`` (``milligray evaluate study radiomics-fcn``),
``radiomics_features.csv`` (``tools/check_radiomics.py``), and the card of the network that ships.
"""

from pathlib import Path

from milligray.learn.card import read_card
from milligray.learn.shelf import find_network
from milligray.train.radiomics_fcn.study_page import filled, page_tables

FOLDER = Path(__file__).parent.parent / "docs" / "validation"
PAGE = FOLDER / "radiomics_fcn.md"
NETWORK = "radiomics-fcn-head-neck"


def new_page() -> str:
    """Page with the tables of the files."""
    tables = page_tables(
        FOLDER / "radiomics_fcn.csv", FOLDER / "radiomics_features.csv",
        read_card(find_network(NETWORK)).metrics,
    )  # fmt: skip
    return filled(PAGE.read_text(encoding="utf-8"), tables)


if __name__ == "__main__":
    PAGE.write_text(new_page(), encoding="utf-8")
