"""The house: imports only go down, what must be light is light, and nothing is pickled."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("flows", "tasks", "expectations", "recmodels")
BESIDE = ("deployments",)  # configuration, and the little code that goes with it
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES]
EXECUTING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}  # load what they run


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """The syntax trees of all our modules."""
    return {path: ast.parse(path.read_text(encoding="utf-8"), path) for path in SOURCES}


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield node.module or ""


def loaded_by(*modules: str) -> set[str]:
    """The packages that are loaded in a new process once these modules are."""
    code = f"import sys, {', '.join(modules)}; print(' '.join({{m.partition('.')[0] for m in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.slow
def test_imports_only_go_down(trees: dict[Path, ast.Module]) -> None:
    """The order of the floors; import-linter checks it too, and that of the packages within them (`make check`)."""
    for path, tree in trees.items():
        floor = FLOORS.index(path.relative_to(ROOT).parts[0])
        for module in imported(tree):
            top = module.partition(".")[0]
            assert top not in FLOORS[:floor], f"{path} imports {module}, which is above it"
            assert top != "tests"


@pytest.mark.slow
def test_the_command_line_is_light() -> None:
    assert (
        loaded_by("flows.cli.app") & {"torch", "great_expectations", "prefect", "pandas", "sklearn", "duckdb"} == set()
    )


@pytest.mark.slow
def test_the_flows_do_not_load_what_only_some_stages_need() -> None:
    assert loaded_by("flows.nightly", "flows.validate") & {"torch", "great_expectations", "sklearn"} == set()


@pytest.mark.slow
def test_recmodels_is_a_library_of_its_own() -> None:
    modules = [module for module in MODULES if module.startswith("recmodels") and not module.endswith("__main__")]
    assert loaded_by(*modules) & {"prefect", "great_expectations", "flows", "tasks", "expectations"} == set()


def test_recmodels_base_loads_no_frames_and_no_torch() -> None:
    assert loaded_by("recmodels.candidate", "recmodels.registry") & {"torch", "pandas", "sklearn"} == set()


def test_nothing_is_loaded_that_could_run_code(trees: dict[Path, ast.Module]) -> None:
    for path, tree in trees.items():
        assert {module.partition(".")[0] for module in imported(tree)} & EXECUTING == set(), path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "pd.read_pickle"), f"{path}:{node.lineno}"
                pickles = [keyword for keyword in node.keywords if keyword.arg == "allow_pickle"]
                assert all(ast.unparse(keyword.value) == "False" for keyword in pickles), f"{path}:{node.lineno}"


def test_everything_is_packaged() -> None:
    """A folder of modules that pyproject.toml does not find would be missing from an installed nightrec."""
    from setuptools import find_packages

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = find_packages(str(ROOT), include=project["tool"]["setuptools"]["packages"]["find"]["include"])
    assert set(found) == {".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES} | set(BESIDE)
