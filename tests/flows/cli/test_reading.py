"""The options that say how a table is written: each is a setting, and the refusal that it solves names it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from flows.cli.options import site_options
from flows.cli.reading import SETTINGS
from flows.settings.template import template
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import ingest, read

if TYPE_CHECKING:
    from flows.settings.site import NightConfig

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)


def given(*arguments: str | Path) -> NightConfig:
    """The settings that a command gets with some options."""
    found: list[Any] = []

    @click.command()
    @site_options
    def command(settings: NightConfig, **rest: Any) -> None:
        assert set(rest) == {"fresh"}
        found.append(settings)

    ran = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return found[0]  # type: ignore[no-any-return]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "log.csv"
    path.write_text("8,3,1771903479\n9,4,1771903480\n")
    return path


def test_every_setting_of_a_table_is_an_option_and_stands_in_the_template() -> None:
    settings = set(TableInput.model_fields) - {"path", "columns", "domains"}
    assert {setting.name for setting in SETTINGS} == settings
    for name in settings:
        assert f"#   # {name} = " in template()


@pytest.mark.parametrize(
    ("option", "value", "setting", "meant"),
    [
        ("--header", "user_id, item_id,timestamp", "header", ["user_id", "item_id", "timestamp"]),
        ("--header", 'user_id,"item, id",timestamp', "header", ["user_id", "item, id", "timestamp"]),
        ("--delimiter", r"\t", "delimiter", "\t"),
        ("--delimiter", "tab", "delimiter", "\t"),
        ("--delimiter", r"\x01", "delimiter", "\x01"),
        ("--delimiter", "space", "delimiter", " "),
        ("--quote", "none", "quote", None),
        ("--quote", "'", "quote", "'"),
        ("--escape", "\\", "escape", "\\"),
        ("--encoding", "latin-1", "encoding", "latin-1"),
        ("--timezone", "Europe/London", "timezone", "Europe/London"),
        ("--timestamp-unit", "ms", "timestamp_unit", "ms"),
        ("--timestamp-format", "%d.%m.%Y %H:%M", "timestamp_format", "%d.%m.%Y %H:%M"),
        ("--missing", "NULL,-", "missing", ["NULL", "-"]),
        ("--format", "csv", "format", "csv"),
        ("--explode", None, "explode", True),
    ],
)
def test_an_option_is_a_setting_of_its_table(
    log: Path, option: str, value: str | None, setting: str, meant: object
) -> None:
    for table, prefix in (
        ("interactions", "--"),
        ("items", "--item-"),
        ("users", "--user-"),
        ("exposures", "--exposure-"),
    ):
        words = [option.replace("--", prefix), *([] if value is None else [value])]
        inputs = given("--interactions", log, "--items", log, "--users", log, "--exposures", log, *words).inputs
        assert inputs is not None
        tables = inputs.tables()
        assert getattr(tables[table], setting) == meant
        others = [getattr(other, setting) for name, other in tables.items() if name != table]
        assert others == [getattr(TableInput(path=""), setting)] * 3


def test_an_option_goes_before_the_file_and_leaves_its_other_settings(log: Path) -> None:
    Path("nightrec.toml").write_text(
        '[inputs.interactions]\npath = "log.csv"\ndelimiter = ";"\nencoding = "latin-1"\nquote = "none"\n'
    )
    inputs = given("--delimiter", ",").inputs
    assert inputs is not None
    table = inputs.interactions
    assert (table.delimiter, table.encoding, table.quote) == (",", "latin-1", None)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--encoding", "latin-99"], "--encoding 'latin-99': unknown encoding"),
        (["--delimiter", "€€"], "--delimiter '€€': a delimiter has up to four bytes"),
        (["--timestamp-unit", "min"], "--timestamp-unit 'min': input should be "),
        (["--header", ","], "--header ',' names nothing"),
        (["--header", "a\rb"], r"--header 'a\rb' is no list"),
        (["--item-header", "a,b"], "--item-header is given, but no such table: name it with --items."),
    ],
)
def test_an_impossible_value_is_one_sentence(log: Path, words: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        given("--interactions", log, *words)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


def test_a_refusal_names_the_option_that_solves_it(log: Path, tmp_path: Path) -> None:
    inputs = given("--interactions", log).inputs
    assert inputs is not None
    with pytest.raises(DataRefused, match=r"--header user_id,item_id,timestamp \(or header = "):
        ingest(tmp_path, inputs, CUTOFF, CUTOFF)
    inputs = given("--interactions", log, "--header", "user_id,item_id,timestamp").inputs
    assert inputs is not None
    _, out = ingest(tmp_path, inputs, CUTOFF, CUTOFF)
    assert read(out)["user_id"].to_pylist() == [8, 9]
