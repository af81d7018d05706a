"""``nightrec.toml``: how it is read, what the command line changes, and the template that ``nightrec init`` writes."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flows.settings.site import NightConfig, checked, default_models, load
from flows.settings.template import template
from recmodels.errors import ConfigError
from tests.flows.running import nightrec
from tests.flows.sites import write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_there_are_the_defaults(here: Path) -> None:
    assert load(None) == NightConfig()
    assert load(None).tables() is None


def test_the_file_in_the_working_directory_is_found(here: Path) -> None:
    write(here / "nightrec.toml", "[export]\nk = 7\n[models.ease]\nparameters = { regularization = 9 }\n")
    config = load(None)
    assert config.export.k == 7
    assert list(config.models) == ["ease"]
    assert config.models["ease"].parameters == {"regularization": 9}


def test_relative_paths_count_from_the_file(here: Path) -> None:
    settings = (
        'store = "nights"\n[inputs]\ninteractions = { path = "log/*.csv" }\nitems = { path = "/data/items.csv" }\n'
    )
    write(here / "site" / "nightrec.toml", settings)
    config = load(Path("site/nightrec.toml"))
    assert config.store == Path("site/nights")
    assert config.inputs is not None and config.inputs.items is not None
    assert config.inputs.interactions.path == "site/log/*.csv"
    assert config.inputs.items.path == "/data/items.csv"


def test_the_command_line_goes_before_the_file(here: Path) -> None:
    settings = '[inputs.interactions]\npath = "old.csv"\ndelimiter = ";"\ncolumns = { user_id = "kunde" }\n'
    write(here / "nightrec.toml", settings)
    config = load(None)

    renamed = config.with_inputs({"interactions": (None, {"user_id": "customer"})}, None).inputs
    assert renamed is not None
    assert (renamed.interactions.path, renamed.interactions.delimiter) == ("old.csv", ";")
    assert renamed.interactions.columns == {"user_id": "customer"}

    replaced = config.with_inputs({"interactions": ("new.csv", None), "items": ("items.csv", None)}, "movielens")
    assert replaced.preset == "movielens" and replaced.inputs is not None and replaced.inputs.items is not None
    assert replaced.inputs.interactions.path == "new.csv"
    assert replaced.inputs.interactions.delimiter is None, "another file is not read by the settings of the first"
    assert replaced.inputs.items.path == "items.csv"


def test_a_column_mapping_needs_its_table(here: Path) -> None:
    tables: dict[str, Any] = {"interactions": ("log.csv", None), "items": (None, {"item_id": "sku"})}
    with pytest.raises(ConfigError, match="items"):
        NightConfig().with_inputs(tables, None)


def test_chosen_models_compete_with_the_baseline() -> None:
    chosen = NightConfig().only(["ease", "ease", "popularity_7d"])
    assert list(chosen.models) == ["popularity", "ease", "popularity_7d"]
    assert chosen.models["popularity_7d"].parameters == {"days": 7}
    with pytest.raises(ConfigError, match="did you mean 'item_knn'"):
        NightConfig().only(["itemknn"])


def test_a_model_that_is_switched_off_can_be_asked_for_by_name(here: Path) -> None:
    write(here / "nightrec.toml", "[models.ease]\nenabled = false\n[models.popularity]\n")
    assert load(None).only(["ease"]).models["ease"].enabled


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("UTC", datetime(2024, 3, 31, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2024, 3, 30, 23, tzinfo=UTC)),  # still winter time at that midnight
        ("America/New_York", datetime(2024, 3, 31, 4, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2024, 3, 30, 18, 30, tzinfo=UTC)),
    ],
)
def test_a_night_begins_at_midnight_in_the_sites_zone(zone: str, begins: datetime) -> None:
    assert NightConfig(timezone=zone).cutoff(date(2024, 3, 31)) == begins


def test_candidates_beside_each_other_fill_the_cores_and_no_more() -> None:
    training = NightConfig().training
    assert [training.concurrency(candidates, 8) for candidates in (1, 2, 5, 8, 100)] == [1, 2, 5, 8, 8]
    assert training.model_copy(update={"parallel": 2}).concurrency(5, 8) == 2


def test_none_stands_for_no_value(here: Path) -> None:
    settings = '[inputs.interactions]\npath = "log.csv"\nquote = "none"\ncolumns = { user_id = "none" }\n'
    write(here / "nightrec.toml", settings + '[validation]\nmax_staleness_days = "none"\n')
    config = load(None)
    assert config.validation.max_staleness_days is None
    assert config.inputs is not None and config.inputs.interactions.quote is None
    assert config.inputs.interactions.columns == {"user_id": "none"}


# The template


def uncommented() -> dict[str, Any]:
    """The template with every setting switched on."""
    lines = [line.removeprefix("# ") for line in template().splitlines()]
    return tomllib.loads("\n".join(line for line in lines if line.startswith("[") or " = " in line.split("#")[0]))


def test_the_template_as_written_means_the_defaults(here: Path) -> None:
    ran = nightrec("init", cwd=here)
    assert ran.code == 0 and "Wrote nightrec.toml" in ran.out
    assert load(None).model_dump() == NightConfig().model_dump()


def test_the_template_is_never_written_over_a_file(here: Path) -> None:
    write(here / "nightrec.toml", "# mine\n")
    ran = nightrec("init", cwd=here)
    assert ran.code == 2 and "nightrec.toml exists already" in ran.err
    assert (here / "nightrec.toml").read_text() == "# mine\n"


def test_the_template_shows_the_true_defaults() -> None:
    content = uncommented()
    content.pop("inputs")
    defaults = NightConfig()
    shown = checked(content, "the template")
    assert shown == defaults
    assert list(shown.models) == list(default_models())


def fields(kind: type[BaseModel], section: str) -> list[tuple[str, str, str]]:
    return [(section, name, field.description or "") for name, field in kind.model_fields.items()]


SETTINGS = [
    setting
    for name, field in NightConfig.model_fields.items()
    for setting in (
        fields(type(field.default), name)
        if isinstance(field.default, BaseModel)
        else [("", name, field.description or "")]
    )
    if setting[1] not in ("inputs", "models")
]


@pytest.mark.parametrize(("section", "name", "description"), SETTINGS, ids=[f"{s}.{n}" for s, n, _ in SETTINGS])
def test_every_setting_is_in_the_template_with_what_it_is(section: str, name: str, description: str) -> None:
    text = template()
    if section:
        text = text.partition(f"\n# [{section}]\n")[2].partition("\n# [")[0]
    line = next(line for line in text.splitlines() if line.startswith(f"# {name} ="))
    assert description, f"{section}.{name} has no description"
    assert description in line


def test_every_setting_of_a_model_and_of_an_input_has_a_description() -> None:
    from tasks.ingest.reading.inputs import Inputs, TableInput
    from tasks.train.jobs import Candidate

    for kind in (Candidate, Inputs, TableInput):
        assert [name for _, name, description in fields(kind, "") if not description] == []
