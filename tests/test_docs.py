"""The documentation: the reference says everything the code knows, links lead somewhere, pictures are current."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import pytest
import yaml
from pydantic import BaseModel

from docs.site import cluster, curves, graph, reference, scale, scaling
from docs.site.growth import Line
from flows.cli.app import nightrec
from flows.settings.renamed import RENAMED
from flows.settings.site import NightConfig, load
from recmodels import registry
from recmodels.data.dataset import Dataset
from recmodels.published.schema import contract
from recmodels.simulation import behaviors
from recmodels.simulation.figures import FIGURES
from recmodels.simulation.market_settings import MarketSettings
from tasks.ingest.reading.presets.catalog import PRESETS
from tests.nested import run_pytest
from tests.sources import module_of_imports

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
GENERATED = {**reference.PAGES, "contributing.md": None, "changelog.md": None}


def tables(kind: type[BaseModel], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every table of settings, with its keys, from the pydantic models."""
    nested: dict[str, type[BaseModel]] = {}
    many = set()
    for name, field in kind.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                nested[name] = part
                many |= {name} if part in get_args(field.annotation)[1:2] and "dict" in str(field.annotation) else set()
    yield path.removesuffix("."), [name for name in kind.model_fields if name not in nested]
    for name, inner in nested.items():
        yield from tables(inner, f"{path}{name}.NAME." if name in many else f"{path}{name}.")


def section(page: str, title: str) -> str:
    """What a page says under a heading."""
    assert f"## {title}\n" in page, f"the page has no section {title}"
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_reference_has_every_setting() -> None:
    page = reference.settings()
    found = dict(tables(NightConfig))
    assert {"export", "models.NAME", "inputs.interactions", "sinks.postgres", "notify.mail"} <= found.keys()
    for path, keys in found.items():
        text = section(page, f"`[{path}]`" if path else "At the top of the file")
        if "The same keys as" not in text:
            assert [key for key in keys if f"| `{key}` |" not in text] == [], path


def test_the_reference_has_every_command_and_option() -> None:
    page = reference.commands()
    for name, command in nightrec.commands.items():
        text = section(page, f"`nightrec {name}`")
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[0] in text, f"{name} {option.opts[0]}"


def test_the_reference_has_every_column_of_an_export() -> None:
    page = reference.export()
    for name, table in contract()["tables"].items():
        text = section(page, f"`{name}`")
        assert [column["name"] for column in table["columns"] if f"| `{column['name']}` |" not in text] == []


def test_the_reference_has_every_parameter_of_a_model() -> None:
    page = reference.models()
    for name in registry.names():
        text = section(page, f"`{name}`")
        missing = [
            field.name for field in fields(registry.kind_of(name)) if field.init and f"| `{field.name}` |" not in text
        ]
        assert missing == [], name
    assert "a whole number of at least 1" in section(page, "`als`")


def test_the_reference_has_every_parameter_of_the_behavior_model_and_where_it_comes_from() -> None:
    page = reference.behavior()
    assert [field.name for field in fields(MarketSettings) if f"| `{field.name}` |" not in page] == []
    assert "| `attention` | a number of at least 0 | `0.8` | exponent | Chaney et al. 2018" in page


def test_the_reference_has_every_figure_of_a_simulated_night() -> None:
    page = reference.simulation()
    for one in FIGURES:
        assert f"| `{one.name}` | {one.title} |" in page and one.means in page


def test_the_reference_has_every_file_of_a_preset() -> None:
    page = reference.presets()
    for name, preset in PRESETS.items():
        text = section(page, f"`{name}`")
        files = [one for layout in preset.layouts for file in layout.files for one in file.names]
        assert [one for one in (preset.home, preset.terms, *files) if one not in text] == [], name


def test_settings_and_options_for_odd_files_are_as_the_page_gives_them(tmp_path: Path) -> None:
    """Each row of the table has a line of TOML that a table takes, and an option with which `run` says the same."""
    page = section((DOCS / "data.md").read_text(encoding="utf-8"), "Odd files").partition("\n\n| a CSV file")[0]
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \| `([^`]+)` \|$", page, re.MULTILINE)
    assert len(rows) >= 10
    options = {name for option in nightrec.commands["run"].params for name in option.opts}
    for toml, command in rows:
        (tmp_path / "nightrec.toml").write_text(f'[inputs.interactions]\npath = "log.csv"\n{toml}\n')
        inputs = load(tmp_path / "nightrec.toml").inputs
        assert inputs and toml.partition(" =")[0] in inputs.interactions.model_fields_set
        assert shlex.split(command)[0] in options


def test_every_setting_is_described() -> None:
    undescribed = re.findall(r"^\| `(\w+)` \|.*\|  \|$", reference.settings(), re.MULTILINE)
    assert undescribed == []


def slug(heading: str) -> str:
    """The anchor of a heading, as the site makes it."""
    plain = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading).lower()).strip()
    return re.sub(r"[-\s]+", "-", plain)


def text_of(page: Path) -> str:
    """A page as the site has it: one of the reference is made, others are read."""
    name = page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else ""
    make = reference.PAGES.get(name)
    return make() if make and not page.exists() else page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        made = path.is_relative_to(DOCS) and path.relative_to(DOCS).as_posix() in GENERATED
        assert path.exists() or made, f"{page}: {target}"
        if anchor and path.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_pages_name_of_the_repository_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:flows|tasks|recmodels|expectations|tests|docs|deployments)/[\w./-]+)`", text))
    assert {path for path in paths if not (ROOT / path).exists() and not path.endswith(".env")} == set()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= set(targets)


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def named(entries: list[Any]) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            else:
                yield from named([page for pages in entry.values() for page in pages])

    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(named(site["nav"])) == sorted(written | GENERATED.keys())


def test_the_site_loads_nothing_from_elsewhere() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert site["theme"]["font"] is False
    assert "extra_javascript" not in site
    assert "analytics" not in str(site)


def test_the_picture_of_a_night_has_every_stage() -> None:
    packages = {path.parent.name for path in (ROOT / "tasks").glob("*/__init__.py")}
    drawn = {stage.partition(":")[0] for stage in graph.NIGHT}
    assert drawn == packages - {"store", "estimates", "forgetting", "lookup", "replay", "simulate"}
    picture = (DOCS / "images" / "dag.svg").read_text(encoding="utf-8")
    assert picture == graph.drawing([graph.night()], downward=True)


@pytest.mark.slow
def test_tables_and_pictures_of_scale_are_those_of_the_measured_curves() -> None:
    found, page = curves.read(), scale.PAGE.read_text(encoding="utf-8")
    assert page == scale.page(page, found), "python -m docs.site.scale"
    for path, picture in scale.pictures(found).items():
        assert path.read_text(encoding="utf-8") == picture, "python -m docs.site.scale"
    assert all(f"<!-- {name} -->\n<!--" not in page for name in scale.SECTIONS)


def test_tables_and_pictures_of_scaling_are_those_of_the_measured_points() -> None:
    found, page = scaling.read(), scaling.PAGE.read_text(encoding="utf-8")
    assert page == scaling.page(page, found), "python -m docs.site.scaling"
    for path, picture in scaling.pictures(found).items():
        assert path.read_text(encoding="utf-8") == picture, "python -m docs.site.scaling"
        assert f"](images/{path.name})" in page
    assert all(f"<!-- {name} -->\n<!--" not in page for name in scaling.SECTIONS)


def test_exponents_are_of_what_grows_and_was_not_cut_short() -> None:
    sizes = [1e6, 3e6, 1e7, 3e7, 1e8]

    def exponent(values: list[float], bounded: int = 0) -> float | None:
        return Line("x", sizes, values, [n >= 5 - bounded for n in range(5)]).exponent()

    assert exponent([size**1.3 for size in sizes]) == pytest.approx(1.3)
    assert exponent([size**0.9 for size in sizes[:3]] + [1.0, 1.0], bounded=2) == pytest.approx(0.9)
    large = np.polyfit(np.log(sizes[2:]), np.log([15, 35, 105]), 1)[0]  # where 5 is at most half
    assert exponent([5 + size / 1e6 for size in sizes]) == pytest.approx(large)
    assert exponent([7.0] * 5) is None
    assert exponent([1.0] * 5, bounded=4) is None


def test_a_simulated_night_grows_from_the_one_that_was_measured() -> None:
    measured = cluster.read()
    here = cluster.Site(measured.interactions, measured.users, measured.items, measured.pairs)
    same, doubled = (
        list(cluster.phases(measured, site))
        for site in (here, cluster.Site(here.interactions, 2 * here.users, here.items, here.pairs))
    )
    kept = [one for one in measured.maps if not one.stage.startswith(cluster.SKIPPED)]
    for name in ("work", "read", "once", "written"):
        assert sum(getattr(one, name) for one in same) == pytest.approx(sum(getattr(one, name) for one in kept))
    assert sum(one.fetched for one in same) == pytest.approx(sum(one.written for one in kept if one.fetched))
    sources = [path.read_text() for floor in ("recmodels", "tasks") for path in (ROOT / floor).rglob("*.py")]
    assert cluster.GROWTHS.keys() <= {*re.findall(r"^def (\w+)\(work: Work\)", "\n".join(sources), re.MULTILINE)}
    where = [number for number, one in enumerate(same) if one.buckets]
    lists = next(number for number, one in zip(where, kept, strict=True) if one.function.endswith(":write_lists"))
    assert doubled[lists].work == pytest.approx(2 * same[lists].work)
    assert doubled[lists].once == same[lists].once > 0  # the model


@pytest.mark.slow
def test_the_picture_of_the_imports_has_every_package() -> None:
    picture = (DOCS / "images" / "imports.svg").read_text(encoding="utf-8")
    for drawn in graph.imports(parse=module_of_imports):
        assert {node for node in drawn.nodes if f">{node}</text>" not in picture} == set(), "make graph"


def test_the_changelog_has_every_renamed_setting_and_parameter() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for old, new in RENAMED.items():
        assert f"`{old}`" in changelog, old
        assert f"`{new}`" in changelog, new
    for name in registry.names():
        kind = registry.kind_of(name)
        for old in (*getattr(kind, "renamed", {}), *kind.moved):
            assert re.search(rf"`{old}( =[^`]*)?`", changelog), f"{name}: {old}"


def test_the_worked_example_recommends_what_came_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    from shop.models import NextItem

    users, items = [0, 0, 0, 1, 1, 2, 2, 3], [0, 1, 2, 0, 1, 1, 2, 0]  # histories 0 1 2, 0 1, 1 2, and 0
    data = Dataset.from_arrays(users, items, timestamp=np.arange(8))
    model = NextItem(decay=0.5, shrinkage=0).fit(data)
    np.testing.assert_allclose(model.follows_.toarray(), [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    top = model.recommend(data, np.arange(4), 2)
    np.testing.assert_array_equal(top.items, [[-1, -1], [2, -1], [-1, -1], [1, -1]])  # 2 follows 1, and 1 follows 0
    np.testing.assert_array_equal(model.explain(data, np.arange(4), top)[:, 0], [-1, 1, -1, 0])


@pytest.mark.slow
def test_the_examples_of_simulated_users_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    page = (DOCS / "simulation-behavior.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(example, names)  # as it stands
    assert names["market"].world.n_users == 1000
    visitors, behavior = names["visitors"], names["behavior"]
    assert len(visitors) == 30 and visitors[-1] < visitors[0]  # random lists disappoint

    first = behavior.history()
    users, items = np.arange(200, dtype=np.int32), np.arange(100, dtype=np.int32)
    assert (behavior.utility(first.user, first.item) == 0).all()  # what they have
    worth = behavior.utilities(users)
    liked = behavior.world.category[items] == behavior.collects[:, None]
    assert np.array_equal(worth, np.where(behavior.owned, 0, np.where(liked, np.float32(0.8), np.float32(0.1))))

    plan = {"users": 200, "items": 100, "nights": 30, "seed": 0}
    resumed = behaviors.create("shop.people:Collectors", {"visits": 0.5}, **plan, people=None)
    resumed.restore(behavior.state())
    lists = np.tile(items[:5], (200, 1))
    days = [one.react(lists, 30, np.random.default_rng(0)) for one in (behavior, resumed)]
    assert len(days[0].choices) and np.array_equal(days[0].choices.item, days[1].choices.item)
    assert np.allclose(days[0].worth, worth[days[0].choices.user, days[0].choices.item])


@pytest.mark.slow
def test_the_examples_of_simulations_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names: dict[str, Any] = {}
    page = (DOCS / "simulation-library.md").read_text(encoding="utf-8")
    for example in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(example, names)  # as it stands
    utility = names["table"].loc["total_utility"]
    assert list(utility.index) == ["most popular", "als", "oracle"]
    assert utility["oracle"] > utility["most popular"]
    assert "oracle" in capsys.readouterr().out


@pytest.mark.slow
def test_the_worked_example_keeps_the_contract_of_recommenders(tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", ".", "-c", os.devnull]
    examples = DOCS / "examples"
    code, said = run_pytest(examples, tmp_path / "said", *options, "test_models.py", paths=(examples, ROOT))
    assert code == 0, said
    assert re.search(r"[3-9]\d passed", said)
