"""The form of a night: what it offers, and what comes of it."""

from datetime import date

import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from flows.backfill import backfill
from flows.nightly import nightly
from flows.replay import replay
from flows.settings.options import BackfillOptions, NightOptions, ReplayOptions
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError


def test_the_form_offers_plain_fields_in_their_order_with_descriptions() -> None:
    form = parameter_schema(nightly).definitions["NightOptions"]["properties"]
    assert sorted(form, key=lambda name: form[name]["position"]) == [
        "run_date", "models", "k", "dry_run", "forced_model", "fresh",
    ]  # fmt: skip
    assert all(field["description"] and field["title"] and "anyOf" not in field for field in form.values())
    assert (form["k"]["minimum"], form["k"]["maximum"]) == (1, 1000)
    assert form["models"]["items"]["enum"] == form["forced_model"]["enum"] == list(NightConfig().models)
    assert form["run_date"]["format"] == "date"


def test_what_is_left_empty_stays_empty() -> None:
    assert parameter_schema(nightly).properties["options"]["default"] == {
        "models": [],
        "dry_run": False,
        "fresh": False,
    }
    assert NightOptions().applied_to(NightConfig()) == NightConfig()


def test_what_is_chosen_is_applied() -> None:
    config = NightOptions(models=["ease"], k=20, forced_model="content").applied_to(NightConfig())
    assert list(config.models) == ["popularity", "ease", "content"]
    assert config.export.k == 20


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 1001}, {"run_date": "yesterday"}, {"unknown": 1}])
def test_what_is_impossible_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NightOptions.model_validate(wrong)
    with pytest.raises(ConfigError, match="did you mean 'ease'"):
        NightOptions(models=["eese"]).applied_to(NightConfig())


def test_an_option_may_still_be_given_by_its_old_name() -> None:
    assert NightOptions.model_validate({"champion": "ease"}) == NightOptions(forced_model="ease")
    with pytest.raises(ConfigError, match="champion is the old name of forced_model"):
        NightOptions.model_validate({"champion": "ease", "forced_model": "als"})


def test_a_backfill_publishes_only_the_newest_night_by_default() -> None:
    first, last = date(2026, 2, 27), date(2026, 3, 2)
    options = BackfillOptions(first=first, last=last)
    assert [options.publishes(day) for day in (first, last)] == [False, True]
    assert BackfillOptions(first=first, last=last, publish="all").publishes(first)
    assert not BackfillOptions(first=first, last=last, publish="none").publishes(last)
    assert {"first", "last"} <= set(parameter_schema(backfill).definitions["BackfillOptions"]["required"])
    with pytest.raises(ConfigError, match="swap the two dates"):
        BackfillOptions(first=last, last=first)


def test_the_form_of_a_replay_asks_for_a_range_and_leaves_the_rest_to_the_site() -> None:
    schema = parameter_schema(replay).definitions["ReplayOptions"]
    fields = schema["properties"].values()
    assert schema["required"] == ["first", "last"]
    assert all(field["description"] and field["title"] and "anyOf" not in field for field in fields)
    first, last = date(2026, 1, 5), date(2026, 2, 1)
    spec = ReplayOptions(first=first, last=last, every=7).spec(NightConfig())
    assert spec.dates == [date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 19), date(2026, 1, 26)]
    assert (spec.horizon, spec.end, spec.name) == (7, date(2026, 2, 8), "2026-01-05-2026-02-01-7d")
    assert spec.root == NightConfig().store.absolute() / "replays" / spec.name
    assert "horizon" not in ReplayOptions(first=first, last=last).model_dump()  # what is left empty stays empty
    with pytest.raises(ConfigError, match="swap the two dates"):
        ReplayOptions(first=last, last=first)
    with pytest.raises(ValidationError):
        ReplayOptions(first=first, last=last, name="../elsewhere")


def test_nights_that_start_from_earlier_models_are_replayed_one_after_another() -> None:
    first = date(2026, 1, 5)
    config = NightConfig.model_validate({"models": {"hybrid": {"parameters": {"warm_start": "always"}}}})
    spec = ReplayOptions(first=first, last=first, parallel=4).spec(config)
    assert spec.chained and spec.parallel == 1
    assert ReplayOptions(first=first, last=first, parallel=4).spec(NightConfig()).parallel == 4
