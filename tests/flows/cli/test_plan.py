"""`nightrec plan` says what a night will take, from counts alone."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.plan import plan
from flows.cli.planned import time_text
from recmodels.errors import ConfigError
from tasks.store.paths import Store
from tests.tasks.estimated import a_night

COUNTS = ["--interactions", "100M", "--users", "1_000_000", "--items", "200k"]


def said(folder: Path, *options: str) -> str:
    given = [*options, "--store", str(folder / "store")]
    return CliRunner().invoke(plan, given, catch_exceptions=False).output


def made(folder: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(folder, *options, "--json"))
    return found


def test_a_table_and_sentences_say_what_a_night_takes(tmp_path: Path) -> None:
    page = said(tmp_path, *COUNTS, "--memory", "12GiB", "--cores", "8", "--models", "item_knn,als")
    table, _, sentences = page.partition("The night: about ")
    assert "100,000,000 interactions, 1,000,000 users, 200,000 items" in table
    assert all(f" {stage} " in table for stage in ("ingest", "prepare", "train item_knn", "train als", "export"))
    assert "on 8 cores with 12.0 GiB to plan with, 2 trainings side by side." in sentences
    assert "Counts are those given. Of the interactions" in sentences and "short probe" in sentences


def test_counts_and_memory_decide(tmp_path: Path) -> None:
    large = made(tmp_path, *COUNTS, "--memory", "3GiB", "--models", "als")
    small = made(tmp_path, *COUNTS, "--interactions", "1M", "--users", "10k", "--pairs", "700k", "--models", "als")
    assert small["counts"]["pairs"] == 700_000 and small["counts"]["interactions"] == 1_000_000
    assert small["seconds"] < large["seconds"] / 2
    assert large["counts"]["planned"] == 3 * 2**30


def test_a_number_may_have_an_exponent(tmp_path: Path) -> None:
    found = made(tmp_path, "--interactions", "1e6", "--users", "1.5e4", "--items", "2E4", "--models", "als")
    assert [found["counts"][name] for name in ("interactions", "users", "items")] == [1_000_000, 15_000, 20_000]


def test_the_last_night_says_how_large_the_site_is(tmp_path: Path) -> None:
    a_night(Store(tmp_path / "store"), 1, 2.0)
    found = made(tmp_path, "--models", "als")
    assert (found["counts"]["interactions"], found["counts"]["pairs"]) == (10**7, 5 * 10**6)
    assert found["sentences"][0] == "Counts are those of the night 2026-03-01."
    assert found["sentences"][-1] == "Times are scaled by what the night 2026-03-01 took here."
    more = made(tmp_path, "--interactions", "40M", "--models", "als")
    assert (more["counts"]["pairs"], more["counts"]["users"]) == (2 * 10**7, 10**5)


def test_files_say_how_many_rows_they_have(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": list(range(50))}), tmp_path / "log.parquet")
    found = made(tmp_path, "--interactions", str(tmp_path / "log.parquet"), "--users", "9", "--items", "7")
    assert found["counts"]["interactions"] == 50
    assert found["sentences"][0].startswith("Counts are the rows of the files of interactions.")


def test_without_anything_it_is_the_demo_site(tmp_path: Path) -> None:
    assert made(tmp_path)["counts"]["interactions"] == 250_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interactions", "1M"], "Nothing says how many users there are: add --users COUNT"),
        (["--interactions", "0"], "--interactions 0: give a number from 1 to 1000G"),
        (["--interactions", "-5"], "--interactions -5: give a number from 1 to 1000G"),
        ([*COUNTS, "--pairs", "many"], "--pairs many: give a number, such as 50M"),
        ([*COUNTS, "--memory", "1kB"], "--memory 1kB: it is too little for a night"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        said(tmp_path, *options)


def test_times_are_said_in_two_digits() -> None:
    texts = ["< 1 s", "42 s", "1.6 min", "16 min", "2.1 h", "3.0 days"]
    assert [time_text(s) for s in (0.2, 42, 96, 960, 7600, 260_000)] == texts
