"""Tables of the pages that are made from the code, and where they stand."""

import re
from collections.abc import Mapping


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").replace("<", "&lt;").split()) for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells) + "\n"


def filled(text: str, made: Mapping[str, str]) -> str:
    """A page with what is between its marks, such as `<!-- expect -->` and `<!-- /expect -->`, made anew."""
    for name, part in made.items():
        whole = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(whole, lambda found, part=part: found[1] + part + found[2], text, flags=re.DOTALL)
    return text
