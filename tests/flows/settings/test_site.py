"""``nightrec.toml``: how it is read, what the command line changes, and the template that ``nightrec init`` writes."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.cli.options import StorePath
from flows.cli.place import the_store
from flows.settings.site import NightConfig, checked, deployed, load
from recmodels.errors import ConfigError
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


@pytest.mark.parametrize(("text", "n_bytes"), [('"8GiB"', 2**33), ("8000000000", 8 * 10**9), ('"none"', None)])
def test_memory_is_an_amount_in_bytes(here: Path, text: str, n_bytes: int | None) -> None:
    write(here / "nightrec.toml", f"memory = {text}\n")
    config = load(None)
    assert config.memory == n_bytes
    assert NightConfig.model_validate_json(config.model_dump_json()) == config  # as flows are given it


def test_a_store_in_a_bucket_is_its_working_copy_and_has_the_copy_for_readers(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTREC_STORE_CACHE", str(here / "caches"))
    address = f"file://{here}/bucket/site"
    write(here / "nightrec.toml", f'store = "{address}"\n')
    config = load(None)
    assert config.store.parent == here / "caches"
    assert config.copy_at == address
    assert the_store(None) == config.store
    assert StorePath().convert(address, None, None) == config.store
    monkeypatch.setenv("NIGHTREC_STORE", address)
    assert deployed() == config
    write(here / "nightrec.toml", f'store = "{address}"\nmirror.to = "s3://lists/shop"\n')
    assert load(None).copy_at == "s3://lists/shop"
    assert NightConfig().copy_at is None


def test_what_is_no_memory_is_refused_with_its_key(here: Path) -> None:
    write(here / "nightrec.toml", 'memory = "8 gigs"\n')
    with pytest.raises(ConfigError, match="memory = '8 gigs': it is no amount of memory; write it like 8GiB"):
        load(None)


def test_what_is_due_takes_single_events_and_what_came_back(here: Path) -> None:
    settings = '[export]\nrepeats = "due"\n[prepare]\nholdout_repeats = true\n'
    write(here / "nightrec.toml", settings)
    with pytest.raises(ConfigError, match=r"set features\.events = true and prepare\.holdout_repeats = true"):
        load(None)
    write(here / "nightrec.toml", settings + "[features]\nevents = true\n")
    assert load(None).export.repeats == "due"


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


def test_a_preset_in_the_file_keeps_its_settings_beside_options(here: Path) -> None:
    (here / "ml").mkdir()
    (here / "ml" / "ratings.dat").write_text("1::10::5::978300760\n")
    (here / "nightrec.toml").write_text('preset = "movielens"\n[inputs.interactions]\npath = "ml"\n')
    tables = load(None).with_inputs({"interactions": (None, None)}, None).tables()
    assert tables is not None and tables.interactions.delimiter == "::"


def test_half_a_star_is_no_like_with_a_preset_of_ratings_unless_the_settings_say_so(here: Path) -> None:
    assert NightConfig().preparation().min_rating is None
    assert NightConfig(preset="steam").preparation().min_rating is None
    assert [NightConfig(preset=name).preparation().min_rating for name in ("movielens", "amazon", "yelp")] == [4, 4, 4]
    for written, meant in ("2.5", 2.5), ('"none"', None):
        (here / "nightrec.toml").write_text(f'preset = "movielens"\nprepare.min_rating = {written}\n')
        assert load(None).preparation().min_rating == meant


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


def test_none_stands_for_no_value(here: Path) -> None:
    settings = '[inputs.interactions]\npath = "log.csv"\nquote = "none"\ncolumns = { user_id = "none" }\n'
    write(here / "nightrec.toml", settings + '[validation]\nmax_staleness_days = "none"\n')
    config = load(None)
    assert config.validation.max_staleness_days is None
    assert config.inputs is not None and config.inputs.interactions.quote is None
    assert config.inputs.interactions.columns == {"user_id": "none"}


@pytest.mark.parametrize(
    ("section", "variable"),
    [
        ({"mirror": {"to": "s3://me:hunter2@bucket/x"}}, "AWS_SECRET_ACCESS_KEY"),
        ({"mirror": {"to": "gs://bucket/x?access_token=hunter2"}}, "GOOGLE_APPLICATION_CREDENTIALS"),
        ({"sinks": {"delta": {"path": "s3://bucket/x?secret_key=hunter2"}}}, "AWS_SECRET_ACCESS_KEY"),
        ({"sinks": {"qdrant": {"url_env": "SHOP_QDRANT"}}}, "export.vectors publishes"),
        ({"export": {"vector_index": True}}, "vector_index is of the vectors, which export.vectors publishes"),
        ({"mlflow": {"uri": "https://me:hunter2@host"}}, "MLFLOW_TRACKING_PASSWORD"),
        ({"notify": {"webhook": "https://host/x?token=hunter2"}}, 'webhook = "env:NAME"'),
        ({"notify": {"webhook": "https://me:hunter2@host/x"}}, 'webhook = "env:NAME"'),
        ({"mirror": {"to": ["https://me:hunter2@host/x"]}}, "mirror.to = this list"),
        ({"demo": {"users": "https://me:hunter2@host/x?token=hunter2"}}, "demo.users = 'https://host/x'"),
    ],
)
def test_a_secret_in_an_address_belongs_into_the_environment(section: dict[str, Any], variable: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(section, "nightrec.toml")
    assert variable in str(refused.value)
    assert "hunter2" not in str(refused.value) and len(str(refused.value)) <= 400


def test_an_ensemble_is_told_the_queries_about_pairs_unless_it_has_its_own() -> None:
    own = {"recommender": "ensemble", "parameters": {"pairs": []}}
    features = {"pairs": {"sql": "SELECT 1", "seconds": 5}}
    config = NightConfig.model_validate(
        {"models": {"als": {}, "ease": {}, "ensemble": {}, "own": own}, "features": features}
    )
    models = config.enabled_models()
    told = models["ensemble"].parameters
    assert (told["pairs"], told["pair_seconds"], told["pair_memory"]) == (["SELECT 1"], 5, "1GiB")
    assert models["own"].parameters["pairs"] == [] and "pairs" not in models["als"].parameters
    plain = NightConfig.model_validate({"models": {"als": {}, "ease": {}, "ensemble": {}}}).enabled_models()
    assert "pairs" not in plain["ensemble"].parameters
    with pytest.raises(ValidationError, match="no amount of memory"):
        NightConfig.model_validate({"features": {"pairs": {"memory": "much"}}})
