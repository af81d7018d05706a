import json
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table

from flows.cli.shown import console, echo, echo_json
from tests.flows.running import nightrec


def test_text_of_the_data_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a title\x1b[2J\nand a line")
    echo_json({"title": "\x9b2J \u202e é"})
    plain, as_json = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert plain == "a title\\x1b[2J\nand a line"
    assert json.loads(as_json) == {"title": "\x9b2J \u202e é"} and "é" in as_json and "\x9b" not in as_json


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_keep_their_styles_and_escape_their_text(terminal: bool) -> None:
    out = StringIO()
    table = Table(title="[red]lists[/]")
    table.add_column("title")
    table.add_row("\x1b]0;evil\x07")
    console(file=out, force_terminal=terminal, color_system="standard" if terminal else None, width=60).print(table)
    assert "\\x1b]0;evil" in out.getvalue() and "\x1b]0" not in out.getvalue()
    assert ("\x1b[" in out.getvalue()) == terminal


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("recs", "\udcff"), "nightrec: The argument '\\xff' is not UTF-8: write it in UTF-8.\n"),
        (("recs",), "nightrec: Missing argument 'USER_ID'. See nightrec recs --help.\n"),
        (("rec",), "nightrec: No such command 'rec'. Did you mean 'recs'? See nightrec --help.\n"),
        (
            ("run", "--k", "0"),
            "nightrec: Invalid value for '--k': 0 is not in the range 1<=x<=1000. See nightrec run --help.\n",
        ),
        (
            ("run", "--memory", "lots"),
            "nightrec: --memory lots: it is no amount of memory; write it like 8GiB, 8GB or a number of bytes.\n",
        ),
        (("verify", "--store", "a.csv"), "nightrec: a.csv is a file: name the folder of a store.\n"),
    ],
)
def test_a_mistake_in_a_command_line_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "a.csv").touch()
    ran = nightrec(*arguments, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (2, "", says)
