"""In terminals of few characters commands say what they say elsewhere, with replacements that can be read."""

import sys
from io import BytesIO, TextIOWrapper

import click
import pytest
from rich.table import Table

from flows.cli.encoding import speak_the_terminals_encoding
from flows.cli.shown import console, echo, echo_json


@pytest.mark.parametrize(
    ("encoding", "text", "title"),
    [
        ("latin-1", "18 >= 2 -> é·² \\u4e2d ...", "Chloé"),
        ("ascii", "18 >= 2 -> e.^2 \\u4e2d ...", "Chloe"),
        ("utf-8", "18 ≥ 2 → é·² 中 …", "Chloé"),
    ],
)
def test_what_an_encoding_lacks_is_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str, title: str
) -> None:
    raw = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(raw, encoding=encoding))
    speak_the_terminals_encoding()
    echo("18 ≥ 2 → é·² 中 …")
    click.echo("OURS…")
    echo_json({"title": "中 é"})
    table = Table()
    table.add_column("Chloé")
    console(width=40).print(table)
    sys.stdout.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert lines[0] == text
    assert lines[1] == ("OURS…" if encoding == "utf-8" else "OURS...")
    assert lines[2] == ('{"title": "中 é"}' if encoding == "utf-8" else '{"title": "\\u4e2d \\u00e9"}')
    assert any(title in line for line in lines[3:])
    assert ("+" in lines[3]) == (encoding != "utf-8")
