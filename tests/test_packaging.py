"""The package: what it needs is declared and pinned, what it holds is in the wheel, and the wheel works on its own."""

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deployments import lock
from tests import sources

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("flows", "tasks", "expectations", "recmodels", "deployments")
NOT_FOR_USERS = ("dev", "docs")
NOT_INSTALLED = {"mlflow": "mlflow-skinny", "sentence_transformers": "sentence-transformers"}  # optional, and large
PROGRAMS = {"uvicorn"}  # needed as `python -m`, imported nowhere


def requirements(entries: list[str]) -> dict[str, Requirement]:
    """Requirements by distribution, `nightrec[extra]` replaced by what the extra stands for."""
    found = {}
    for entry in entries:
        requirement = Requirement(entry)
        if requirement.name == "nightrec":
            for extra in requirement.extras:
                found |= requirements(PROJECT["optional-dependencies"][extra])
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


BASE = requirements(PROJECT["dependencies"])
EXTRAS = {name: requirements(entries) for name, entries in PROJECT["optional-dependencies"].items()}
OPTIONAL = {name for extra in EXTRAS.keys() - {*NOT_FOR_USERS} for name in EXTRAS[extra]}


distributions_of = cache(packages_distributions)


@cache
def imports() -> list[tuple[str, str]]:
    """Every import of a third party's package by ours: the file, and the distribution."""
    return [found for path in files(*PACKAGES) for found in imports_of(path)]


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """The imports of a file, as `imports` has them."""
    for node in sources.statements(path.read_text(encoding="utf-8")).imports:
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in {name.partition(".")[0] for name in names}:
            if distribution := distribution_of(name):
                yield str(path.relative_to(ROOT)), distribution


def distribution_of(package: str) -> str | None:
    """What has to be installed for a package to be imported, if it is neither ours nor Python's."""
    if package in sys.stdlib_module_names or package in (*PACKAGES, "tests"):
        return None
    return canonicalize_name((distributions_of().get(package) or [NOT_INSTALLED.get(package, package)])[0])


def test_what_the_package_imports_is_declared() -> None:
    undeclared = {(path, name) for path, name in imports() if name not in BASE and name not in OPTIONAL}
    assert undeclared == set()


def test_what_is_declared_is_used() -> None:
    used = {name for _, name in imports()} | PROGRAMS
    assert BASE.keys() - used == set()
    assert OPTIONAL - used == set()


def test_what_the_tests_import_is_declared() -> None:
    declared = BASE.keys() | EXTRAS["dev"].keys() | OPTIONAL
    declared |= {"pip", "packaging", "docs", "shop"}  # the last two are folders of `docs`
    declared |= {path.stem for path in files("tests")}
    undeclared = set()
    for path in files("tests"):
        looked_at = not path.is_relative_to(ROOT / "tests" / "benchmarks")
        perhaps = map(distribution_of, sources.perhaps_imported(path.read_text(encoding="utf-8")))
        if looked_at and not {*perhaps} <= {None, *declared}:  # to parse them all takes seconds
            undeclared |= {(name, package) for name, package in imports_of(path) if package not in declared}
    assert undeclared == set()


def test_no_import_is_overlooked_where_files_are_not_parsed() -> None:
    for path in files(*PACKAGES):
        exact = {distribution for _, distribution in imports_of(path)}
        assert exact <= set(map(distribution_of, sources.perhaps_imported(path.read_text(encoding="utf-8")))), path


def test_pytorch_is_an_extra() -> None:
    assert "torch" not in BASE
    assert "torch" in EXTRAS["torch"]
    assert EXTRAS["all"].keys() == OPTIONAL - EXTRAS["testing"].keys()


def test_the_lock_pins_what_is_declared() -> None:
    pinned = dict(lock.entries(lock.LOCK.read_text(encoding="utf-8")).keys())
    for name, requirement in (BASE | EXTRAS["dev"] | EXTRAS["docs"]).items():
        assert pinned.get(name), f"{name} is not in requirements.lock: make lock"
        assert requirement.specifier.contains(pinned[name]), f"{name} {pinned[name]} is not {requirement}"


def test_every_file_that_is_installed_has_a_hash() -> None:
    text = lock.LOCK.read_text(encoding="utf-8")
    found = lock.entries(text)
    assert [name for name, hashes in found.items() if not hashes] == []
    assert lock.text_of(found) == text  # one writing, so that a change shows what has changed
    assert len(found) == len({name for name, _ in found})


def test_the_version_stands_in_one_place() -> None:
    version = PROJECT["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    tags = [
        (path.name, tag)
        for path in sorted((ROOT / "deployments").rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for tag in re.findall(r"(?:nightrec:|NIGHTREC_TAG:-|NIGHTREC_TAG=)(\d[\d.]*\d)", path.read_text("utf-8"))
    ]
    assert len(tags) > 10
    assert {tag for _, tag in tags} == {version}, tags
    literal = re.compile(rf"""["']{re.escape(version)}["']""")
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in modules if literal.search(path.read_text(encoding="utf-8"))] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source, site = folder / "source", folder / "site"
    for package in PACKAGES:
        copytree(ROOT / package, source / package, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    ran = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    [built] = folder.glob("*.whl")
    assert built.name == f"nightrec-{PROJECT['version']}-py3-none-any.whl"
    with zipfile.ZipFile(built) as content:
        content.extractall(site)
    return site


def installed(wheel: Path, code: str, cwd: Path) -> str:
    """What some code prints with the wheel and its dependencies alone on the path, in an empty folder."""
    dependencies = sysconfig.get_path("purelib")
    start = f"import sys; sys.path[:0] = [{str(wheel)!r}]; sys.path.append({dependencies!r})\n"
    ran = subprocess.run(  # without `site`, so that the tree which is installed for development is not found
        [sys.executable, "-I", "-S", "-c", start + code], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    code = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    data = {
        path.relative_to(ROOT)
        for package in PACKAGES[:4]
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".py"
    }
    assert {path.name for path in data} >= {"py.typed", "export_schema.json", "template.html.j2"}
    held = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    assert (code | data) - held == set()
    of_deployments = {Path("deployments") / name for name in ("pools.yaml", "prefect.yaml")}
    beside = {path for path in held if ".dist-info" not in str(path)} - code - data
    assert beside == of_deployments


@pytest.mark.slow
def test_the_installed_command_needs_no_repository(wheel: Path, tmp_path: Path) -> None:
    code = """
import flows.cli.app as app
print(app.__file__)
app.nightrec.main(["init"], standalone_mode=False)
app.nightrec.main(["demo", "site", "--users", "20", "--items", "10", "--interactions", "100"], standalone_mode=False)
from flows.settings.site import load
print(load(None).site)
from recmodels.published.schema import contract
print(sorted(contract()["tables"]))
from tasks.store.versions import NIGHTREC_VERSION
print(NIGHTREC_VERSION)
"""
    lines = installed(wheel, code, tmp_path).splitlines()
    assert lines[0] == str(wheel / "flows" / "cli" / "app.py")
    assert lines[-1] == PROJECT["version"]
    assert (tmp_path / "nightrec.toml").exists()
    assert len(list((tmp_path / "site").iterdir())) >= 3


def test_the_flows_that_are_deployed_are_in_the_wheel(wheel: Path) -> None:
    deployed = yaml.safe_load((wheel / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    for one in deployed:
        module, _, function = one["entrypoint"].rpartition(".")
        tree = ast.parse((wheel / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, one["entrypoint"]


def test_reading_exports_takes_pyarrow_alone(wheel: Path, tmp_path: Path) -> None:
    others = (BASE.keys() | OPTIONAL) - {"pyarrow", "numpy"}
    modules = {name for name, [*found] in distributions_of().items() if canonicalize_name(found[0]) in others}
    code = f"""
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(modules)!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from recmodels.published.reader import read_latest
print(read_latest.__name__)
"""
    assert "torch" in modules
    assert installed(wheel, code, tmp_path) == "read_latest\n"
