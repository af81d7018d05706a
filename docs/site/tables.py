"""Tables of the pages that are made from the code."""


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").replace("<", "&lt;").split()) for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells) + "\n"
