"""What a harness is, and what it hands back.

A harness is a module of this folder with a function `main(arguments: list[str]) -> Report`; the first line of its
docstring describes it. `arguments` are the options of the command line that the frame does not know.
"""

import ast
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.util import get_temp_dir
from pathlib import Path
from unittest.mock import patch

Row = Mapping[str, str | int | float]


@dataclass
class Report:
    """The figures of a harness, a row each with the same columns, and in a sentence each promise that was broken."""

    rows: list[Row] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def harnesses(folder: Path) -> dict[str, str]:
    """The descriptions of a folder's harnesses by name; none is imported for it."""
    found = {}
    for file in sorted(folder.glob("[!_]*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body):
            found[file.stem] = (ast.get_docstring(module) or "").partition("\n")[0]
    return found


def table(rows: Sequence[Row]) -> str:
    """Rows as a table of Markdown, ready for the documentation."""
    if not rows:
        return "(no rows)"
    names = list(rows[0])
    texts = [names, *([_text(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(names))]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in texts]
    lines = [f"| {' | '.join(line)} |" for line in padded]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _text(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3g}" if isinstance(value, float) else value


@contextmanager
def own_temporary_folder(folder: Path) -> Iterator[None]:
    """Temporary files of all programs go where they can be counted, and nights wait for no others of this machine.

    What forks talk through stays where it is: it is removed when Python exits.
    """
    get_temp_dir()
    place = folder / "tmp"
    place.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(place)
    try:
        with patch.dict(os.environ, TMPDIR=str(place)):
            yield
    finally:
        tempfile.tempdir = before
