"""`nightrec ope` prints a table, a sentence for each value, and the same as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.ope import ope
from recmodels.errors import ConfigError
from tests.tasks.drawing import drawn_site


def test_values_are_a_table_sentences_and_json(tmp_path: Path) -> None:
    drawn_site(tmp_path, users=400)
    said = CliRunner().invoke(ope, ["good", "ease", "--store", str(tmp_path), "--days", "14"], catch_exceptions=False)
    assert said.exit_code == 0
    table, _, sentences = said.output.partition("Expected clicks for each list, by 800 lists of 400 users")
    assert "over the champion" in table and "bad" not in said.output
    assert "good: 0.5" in sentences and "To be trusted: the log is worth 121 lists of it." in sentences
    as_json = CliRunner().invoke(ope, ["good", "--store", str(tmp_path), "--json"], catch_exceptions=False)
    assert [one["name"] for one in json.loads(as_json.output)["values"]] == ["good", "usual", "logged", "uniform"]


def test_a_store_without_a_night_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has its tables any more: run one with `nightrec run`"):
        CliRunner().invoke(ope, ["--store", str(tmp_path)], catch_exceptions=False)
