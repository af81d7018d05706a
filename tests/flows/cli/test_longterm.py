"""`nightrec longterm` says what early signals foretell, and of the arms."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.longterm import longterm
from recmodels.errors import ConfigError
from tasks.longterm import asked
from tasks.longterm.results import LongTerm
from tests.tasks.longterm.found import FOUND
from tests.tasks.site import RUN_DATE


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the command asked for."""
    monkeypatch.chdir(tmp_path)
    calls: list[object] = []

    def long_term(night: object, *_: object, **more: object) -> LongTerm:
        calls.append((night, _[-1], more))
        return FOUND if more["arms"] != ["none"] else FOUND.model_copy(update={"arms": []})

    monkeypatch.setattr(asked, "long_term", long_term)
    monkeypatch.setattr(asked, "newest", lambda store: store.night(RUN_DATE))
    Path("store").mkdir()
    return calls


def output(*arguments: str) -> str:
    return CliRunner().invoke(longterm, [*arguments, "--store", "store"], catch_exceptions=False).output


def test_arms_are_sentences_and_signals_a_table_the_best_first(given: list[object]) -> None:
    text = output("--outcome", "retention14")
    assert text.startswith("holdback: fewer. Doubt it: why.\n")
    assert text.index("days on which they came") < text.index("how far down they looked")
    assert "20.0%" in text and "does more later" in text and "does less later" in text
    assert "Of 5,000 users of 9 past weeks, 40.0% of users active in days 8 to 21." in text
    assert "The first 7 days explain 25% of the differences that the four weeks before leave." in text
    assert "No effect of an arm is known yet" in text
    assert "There are no arms to foretell of: docs/feedback.md says how" in output("--arm", "none")


def test_options_are_passed_on_and_json_is_printed(given: list[object]) -> None:
    options = ("--surrogates", "visits, depth", "--window", "3", "--arm", "a", "--arm", "b", "--date", "2026-03-01")
    found = json.loads(output("--outcome", "visits9", *options, "--json"))
    assert (found["outcome"], found["arms"][0]["trust"]) == ("retention14", "doubt")
    ((night, outcome, more),) = given  # type: ignore[misc]
    assert (str(night.run_date), night.store.root.name, outcome.name) == ("2026-03-01", "store", "visits9")
    assert more == {"window": 3, "signals": ["visits", "depth"], "arms": ["a", "b"]}


def test_an_outcome_that_is_none_is_a_mistake(given: list[object]) -> None:
    with pytest.raises(ConfigError, match="--outcome sales is unknown"):
        output("--outcome", "sales")
