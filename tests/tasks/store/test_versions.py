"""What code made something: a stage's digest changes with its own code, and with no other."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store import versions
from tasks.store.versions import NIGHTREC_VERSION, code_of, code_version, imported_by

STAGES = {
    f"tasks.{name}": f"tasks.{name}.{module}"
    for name, module in {
        "ingest": "stage",
        "validate": "stage",
        "prepare": "stage",
        "features": "stage",
        "lists": "rules",
        "train": "stage",
        "evaluate": "stage",
        "compare": "stage",
        "export": "stage",
    }.items()
}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The digests of the stages as they are."""
    return {stage: code_of(module) for stage, module in STAGES.items()}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources."""
    root = tmp_path_factory.mktemp("sources")
    for floor in ("recmodels", "expectations", "tasks"):
        shutil.copytree(versions._ROOT / floor, root / floor, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def tree(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The copy, whose files are changed and left as they were; digests are computed from it."""
    monkeypatch.setattr(versions, "_ROOT", copied)
    _forget()
    yield copied
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    """Look at the files anew; what a file imports is known by its path, and no test here changes that."""
    for cached in (code_version, code_of, versions._offered, versions._file_of, versions._home_of):
        cached.cache_clear()


def test_the_code_version_names_the_release_and_the_sources() -> None:
    release, _, sources = code_version().partition("+")
    assert release == NIGHTREC_VERSION
    assert len(sources) == 12


def test_the_release_is_that_of_the_project_file() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == NIGHTREC_VERSION


@pytest.mark.parametrize("package", STAGES)
def test_a_stage_depends_on_its_own_package_and_not_on_the_report(package: str) -> None:
    modules = imported_by(STAGES[package])
    assert STAGES[package] in modules
    assert not {module for module in modules if module.startswith(("flows", "tasks.report", "tasks.publish"))}


def test_ingest_depends_on_what_reads_files_and_not_on_the_demo_site() -> None:
    modules = imported_by(STAGES["tasks.ingest"])
    assert {"tasks.ingest.reading.textfiles", "tasks.ingest.reading.timestamps", "tasks.store.duckdb"} <= modules.keys()
    assert not {module for module in modules if module.startswith(("recmodels.demo", "tasks.ingest.demo"))}


def test_validation_depends_on_the_expectations() -> None:
    assert {"expectations.interactions", "expectations.runner"} <= imported_by(STAGES["tasks.validate"]).keys()


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("tasks/report/charts.py", set()),
        ("recmodels/factors/als.py", set()),
        ("tasks/ingest/reading/textfiles.py", {"tasks.ingest"}),
        ("expectations/users.py", {"tasks.validate"}),
        ("tasks/store/paths.py", set(STAGES)),
    ],
)
def test_a_change_redoes_the_stages_that_depend_on_it(
    before: dict[str, str], tree: Path, file: str, stages: set[str]
) -> None:
    whole, source = code_version(), (tree / file).read_text(encoding="utf-8")
    (tree / file).write_text(f"{source}\n# a comment\n", encoding="utf-8")
    _forget()
    assert {stage for stage, module in STAGES.items() if code_of(module) != before[stage]} == stages
    assert code_version() != whole  # workers of another version are refused all the same
    (tree / file).write_text(source, encoding="utf-8")


def test_a_file_that_moves_changes_the_version(tree: Path) -> None:
    whole = code_version()
    charts = tree / "tasks" / "report" / "charts.py"
    moved = charts.rename(tree / "tasks" / "charts.py")
    _forget()
    assert code_version() != whole
    moved.rename(charts)


def test_imports_are_followed_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tasks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "stage.py").write_text(
        "import os\n"
        "from typing import TYPE_CHECKING\n"
        "from tasks import top\n"
        "if TYPE_CHECKING:\n    from tasks import typed\nelse:\n    from tasks import untyped\n"
        "def work():\n    try:\n        from tasks.inner import thing\n"
        "    except ImportError:\n        import tasks.instead\n"
    )
    for name in ("top", "typed", "untyped", "inner", "instead", "beyond", "unused"):
        (package / f"{name}.py").touch()
    (package / "top.py").write_text("with open('x'):\n    from .beyond import it\n")
    monkeypatch.setattr(versions, "_ROOT", tmp_path)
    _forget()
    found = imported_by("tasks.stage")
    _forget()
    names = ("stage", "top", "untyped", "inner", "instead", "beyond")
    assert found == {f"tasks.{name}": package / f"{name}.py" for name in names}


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x = 1\n",
        "import tasks.two, os\n",
        "if True: import tasks.two\nelse:\n    x = 2\n",
        "# no import\nx = 1\n",
        "try:\n    import tasks.two\nexcept ImportError:\n    x = 2\n",
        '"""\nimport tasks.three\nor so\n"""\nx = 1\n',
        "from tasks import (\n# the second\ntwo\n)\nx = 1\n",
        "def f():\n    x = 1\n\n    import tasks.two\n    return 3\n",
    ],
)
def test_imports_are_found_whatever_stands_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    package = tmp_path / "tasks"
    package.mkdir()
    (package / "stage.py").write_text("import tasks.one\n" + after)
    for name in ("one", "two", "three"):
        (package / f"{name}.py").touch()
    monkeypatch.setattr(versions, "_ROOT", tmp_path)
    _forget()
    found = imported_by("tasks.stage")
    _forget()
    assert found.keys() == {"tasks.stage", "tasks.one", *(["tasks.two"] if "two" in after else [])}


def test_a_module_of_somebody_else_counts_with_what_it_imports_of_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop_of_a_test"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "models.py").write_text("from recmodels.errors import ConfigError\nfrom shop_of_a_test import margins\n")
    (shop / "margins.py").write_text("import numpy\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert imported_by("shop_of_a_test.models").keys() == {
        "shop_of_a_test.models",
        "shop_of_a_test.margins",
        "recmodels.errors",
        "recmodels.messages",  # which that imports
    }


@pytest.mark.parametrize(
    ("imports", "expected"),
    [("from recmodels import EASE", True), ("import recmodels", True), ("from recmodels import ALS", False)],
)
def test_a_model_of_somebody_else_depends_on_what_it_takes_of_the_public_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, expected: bool
) -> None:
    (tmp_path / "margin_of_a_test.py").write_text(imports + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    _forget()
    modules = imported_by("margin_of_a_test")
    _forget()
    assert ("recmodels.linear.ease" in modules) == expected
