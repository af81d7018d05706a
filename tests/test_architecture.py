"""The house: imports only go down, what must be light is light, and nothing is pickled."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import sources

ROOT = Path(__file__).parents[1]
FLOORS = ("flows", "tasks", "expectations", "recmodels")
LIBRARY = FLOORS.index("recmodels")
BESIDE = ("deployments",)  # configuration, and the little code that goes with it
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
EXECUTING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}  # load what they run


@pytest.fixture(scope="module")
def statements() -> dict[Path, list[ast.AST]]:
    """The imports and calls of all our modules."""
    found = {path: sources.statements(path.read_text(encoding="utf-8")) for path in SOURCES}
    return {path: [*there.imports, *there.calls] for path, there in found.items()}


def imported(statements: list[ast.AST]) -> Iterator[str]:
    """The modules that a file imports, at its top or inside a function, or by a call that names them."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield node.module or ""
        elif isinstance(node, ast.Call) and name_of(node.func).endswith("import_module"):
            yield from (str(given.value) for given in node.args if isinstance(given, ast.Constant))


def name_of(function: ast.expr) -> str:
    """What is called, as it is written; nothing where that is no dotted name."""
    if isinstance(function, ast.Attribute):
        return f"{name_of(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def loaded_by(*steps: Sequence[str]) -> list[set[str]]:
    """The packages that are loaded in a new process once the modules of a step are, and those of the steps before."""
    code = "; ".join(
        f"import sys, {', '.join(modules)}; print(' '.join({{m.partition('.')[0] for m in sys.modules}}))"
        for modules in steps
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return [set(line.split()) for line in ran.stdout.splitlines()]


@pytest.mark.slow
def test_imports_only_go_down(statements: dict[Path, list[ast.AST]]) -> None:
    """The order of the floors; import-linter checks it too, and that of the packages within them (`make check`)."""
    for path, found in statements.items():
        floor = FLOORS.index(path.relative_to(ROOT).parts[0])
        for module in imported(found):
            top = module.partition(".")[0]
            assert top not in FLOORS[:floor], f"{path} imports {module}, which is above it"
            assert top != "tests"
            assert floor < LIBRARY or top not in {"prefect", "great_expectations"}, f"{path} is a library of its own"


@pytest.mark.slow
def test_what_must_be_light_is_light() -> None:
    """A candidate's process, the command line, the flows that look at exports, and those that run some stages."""
    candidate, commands, signals, nights = loaded_by(
        ["recmodels.candidate", "recmodels.registry"],
        ["flows.cli.app"],
        ["flows.signals"],
        ["flows.nightly", "flows.validate"],
    )
    assert (candidate | commands | signals | nights) & {"ray", "distributed", "dask"} == set()  # until an engine asks
    assert candidate & {"torch", "pandas", "sklearn"} == set()
    assert commands & {"torch", "great_expectations", "prefect", "pandas", "sklearn", "duckdb"} == set()
    assert signals & {"torch", "great_expectations", "sklearn"} == set()
    assert nights & {"torch", "great_expectations", "sklearn"} == set()


@pytest.mark.slow
def test_nothing_is_loaded_that_could_run_code(statements: dict[Path, list[ast.AST]]) -> None:
    for path, found in statements.items():
        assert {module.partition(".")[0] for module in imported(found)} & EXECUTING == set(), path
        for node in found:
            if isinstance(node, ast.Call):
                called = name_of(node.func)
                assert called not in ("eval", "exec", "torch.load", "pd.read_pickle"), f"{path}:{node.lineno}"
                pickles = [keyword for keyword in node.keywords if keyword.arg == "allow_pickle"]
                assert all(ast.unparse(keyword.value) == "False" for keyword in pickles), f"{path}:{node.lineno}"


def test_everything_is_packaged() -> None:
    """A folder of modules that pyproject.toml does not find would be missing from an installed nightrec."""
    from setuptools import find_packages

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = find_packages(str(ROOT), include=project["tool"]["setuptools"]["packages"]["find"]["include"])
    assert set(found) == {".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES} | set(BESIDE)
