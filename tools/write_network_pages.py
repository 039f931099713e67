"""Write the pages of the shipped networks from their cards.

python tools/write_network_pages.py

writes `docs/networks/<name>.md` of every shipped network, and `docs/networks/README.md`.
"""

from pathlib import Path

from milligray.learn.card import read_card
from milligray.learn.card_page import card_markdown
from milligray.learn.shelf import find_network, list_networks

PAGES = Path(__file__).parent.parent / "docs" / "networks"


def index_markdown() -> str:
    """Table of the shipped networks."""
    lines = ["# Shipped networks", "", "| Network | System | Title |", "|---|---|---|"]
    for name in list_networks():
        card = read_card(find_network(name))
        lines.append(f"| [{name}]({name}.md) | {card.system} | {card.title} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all pages."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in list_networks():
        page = card_markdown(read_card(find_network(name)))
        (PAGES / f"{name}.md").write_text(page, encoding="utf-8")
        print(PAGES / f"{name}.md")
    (PAGES / "README.md").write_text(index_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
