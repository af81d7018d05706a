"""No code of ours loads or writes what runs when it is read: pickles, evaluated text, commands of a shell."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sources

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "expectations", "recmodels", "deployments")
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "torch.save"}
ENDINGS = (".read_pickle", ".to_pickle", ".unsafe_load", ".full_load")


def dangers(source: str) -> Iterator[str]:
    """What a module does that may run something that it reads."""
    there = sources.statements(source)
    for statement in there.imports:
        names = [name.name for name in statement.names]
        names = [statement.module or ""] if isinstance(statement, ast.ImportFrom) else names
        yield from (f"import {name}" for name in names if name.partition(".")[0] in MODULES)
    for node in there.calls:
        called = ast.unparse(node.func)
        given = {one.arg: ast.unparse(one.value) for one in node.keywords}
        if called in BUILTINS or called in METHODS or called.endswith(ENDINGS):
            yield called
        if called == "torch.load" and given.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if given.get("allow_pickle", "False") != "False":
            yield f"{called} with allow_pickle"
        if given.get("shell", "False") != "False":
            yield f"{called} with a shell"


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.slow
def test_no_module_runs_what_it_reads(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): done
        for path in (ROOT / package).rglob("*.py")
        if (done := list(dangers(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_what_would_run_is_found() -> None:
    source = """
import pickle, json
from joblib import load
eval("1"); re.compile("x"); yaml.safe_load(text); yaml.load(text); frame.to_pickle(path)
torch.load(path); torch.load(path, weights_only=True)
np.load(path, allow_pickle=True); subprocess.run(line, shell=True); subprocess.run(words)
"""
    assert sorted(dangers(source)) == [
        "eval", "frame.to_pickle", "import joblib", "import pickle", "np.load with allow_pickle",
        "subprocess.run with a shell", "torch.load without weights_only", "yaml.load",
    ]  # fmt: skip
