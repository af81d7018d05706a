"""Recommenders from a site's folder and from installed packages, used as nightrec's own; no file alone imports code."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from recmodels import plugins, registry
from recmodels.errors import ConfigError, NightrecError
from recmodels.parameters import parameters_of
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.spaces import Real, space_of
from recmodels.testing import N_USERS, assert_same, small_site
from tests.nested import run_pytest
from tests.recmodels.margin import MARGIN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site's folder with a package of its own, `shop`; the working directory."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MARGIN)
    (tmp_path / "shop" / "broken.py").write_text("1 / 0")
    (tmp_path / "shop" / "needs.py").write_text("import nothing_of_that_name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_imported", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    _forget_shop()  # the documentation's examples have one, too
    yield tmp_path
    _forget_shop()


def _forget_shop() -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[module]


def test_a_class_of_the_sites_own_is_made_checked_searched_and_described(site: Path) -> None:
    model = registry.create("shop.models:Margin", {"power": 0.5})
    assert registry.name_of(type(model)) == "shop.models:Margin"
    assert space_of("shop.models:Margin") == {"power": Real(0.0, 2.0)}
    assert [(one.name, one.default, one.doc) for one in parameters_of(type(model))] == [
        ("power", 1.0, "How much more popular items count.")
    ]
    with pytest.raises(ConfigError, match=r"shop.models:Margin: power is -1; give a number of at least 0"):
        registry.create("shop.models:Margin", {"power": -1})
    with pytest.raises(ConfigError, match=r"Unknown parameter of shop.models:Margin: 'powr'; did you mean 'power'"):
        registry.create("shop.models:Margin", {"powr": 1})


def test_it_is_found_from_another_directory_by_the_variable(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ConfigError, match=r"there is no module shop\.models, neither in .*elsewhere"):
        registry.create("shop.models:Margin")
    monkeypatch.setenv(plugins.CONFIG_VARIABLE, str(site / "nightrec.toml"))
    assert plugins.folder() == str(site)
    monkeypatch.delenv(plugins.CONFIG_VARIABLE)
    monkeypatch.setenv(plugins.FOLDER_VARIABLE, str(site))
    assert type(registry.create("shop.models:Margin")).__name__ == "Margin"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("shop.nothing:Margin", "there is no module shop.nothing, neither in"),
        ("stall.models:Margin", "there is no module stall.models, neither in"),
        ("shop.models:Margn", "the module shop.models .* has no Margn"),
        ("shop.broken:Margin", "cannot be imported: ZeroDivisionError: division by zero"),
        ("shop.needs:Margin", "cannot be imported: No module named 'nothing_of_that_name'"),
        ("shop.models:NUMBER", "is no recommender: derive the class from recmodels.Recommender"),
        ("shop.models:Plain", "is no dataclass: write @dataclass above it"),
        ("shop.models:Unfinished", "is not complete: write _fit, _score, memory_needed"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(site: Path, path: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"{path}.* ?{sentence}"):
        registry.create(path)


def test_a_saved_model_of_the_sites_own_is_loaded_where_somebody_asks_for_it(site: Path) -> None:
    data = small_site()
    model = registry.create("shop.models:Margin", {"power": 0.5}).fit(data)
    save(model, site / "model")
    everybody = np.arange(N_USERS)
    for again in (load(site / "model"), load(site / "model", type(model))):
        assert_same(again.recommend(data, everybody, 5), model.recommend(data, everybody, 5))


def test_a_file_that_names_a_module_does_not_import_it(site: Path) -> None:
    save(Popularity().fit(small_site()), site / "model")
    about = json.loads((site / "model" / "model.json").read_text())
    (site / "model" / "model.json").write_text(json.dumps(about | {"recommender": "shop.broken:Margin"}))
    with pytest.raises(NightrecError, match=r"is of shop.broken:Margin, which is imported only where it is asked for"):
        load(site / "model")
    assert "shop.broken" not in sys.modules and not registry.is_registered("shop.broken:Margin")


@pytest.mark.slow
def test_the_contract_is_there_for_models_of_the_sites_own(site: Path) -> None:
    (site / "test_margin.py").write_text(
        "from recmodels.testing import RecommenderContract\n"
        "from shop.models import Margin\n\n\n"
        "class TestMargin(RecommenderContract):\n"
        "    recommends_unseen_items = True\n\n"
        "    def make(self):\n"
        "        return Margin(power=0.5)\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "test_margin.py"]
    code, said = run_pytest(site, site / "said", *options, paths=(ROOT, site))
    assert code == 0, said[-2000:]


def test_an_installed_package_registers_a_recommender_by_name(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("margin", "shop.models:Margin", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == plugins.GROUP else [])
    plugins.registered.cache_clear()
    try:
        assert "margin" in registry.names() and registry.is_registered("margin")
        model = registry.create("margin", {"power": 2.0})
        assert registry.name_of(type(model)) == "margin"
        save(model.fit(small_site()), site / "model")
        assert load(site / "model") == model
        with pytest.raises(ConfigError, match="Unknown recommender: 'margn'; did you mean 'margin'"):
            registry.create("margn")
    finally:
        plugins.registered.cache_clear()
