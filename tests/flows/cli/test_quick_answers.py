"""What answers at once loads nothing heavy: help, mistakes in what is given, and looking at a small store."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.flows.running import ROOT
from tests.flows.sites import log, write
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

pytestmark = pytest.mark.slow

HEAVY = {"prefect", "great_expectations", "torch", "pandas", "sklearn", "duckdb", "numba", "ray", "distributed"}

MISTAKES: dict[str, tuple[list[str], str]] = {
    "path": (["run", "--interactions", "nope.csv"], "there is no file or folder 'nope.csv'"),
    "path of items": (["validate", "--interactions", "log.csv", "--items", "nope.csv"], "items: there is no file"),
    "glob": (["run", "--interactions", "log/*.nope"], "no file matches 'log/*.nope'"),
    "date": (["run", "--date", "2026-02-30"], "'2026-02-30' is no date"),
    "range": (["backfill", "--from", "2026-03-02", "--to", "2026-03-01"], "swap the two dates"),
    "model": (["run", "--models", "eese"], "did you mean 'ease'?"),
    "forced model": (["run", "--force-model", "eese"], "eese was chosen to be published, and there is no such model"),
    "preset": (["run", "--interactions", "log.csv", "--preset", "movielense"], "movielens"),
    "preset alone": (["run", "--preset", "movielens"], "The preset movielens has no files to read"),
    "setting": (["run", "--config", "setting.toml"], "unknown key exports; did you mean export?"),
    "value": (["run", "--config", "value.toml"], "export.k = 0"),
    "model to explain": (["models", "eese"], "did you mean 'ease'?"),
    "hyper-parameter": (["run", "--config", "parameter.toml"], "did you mean 'factors'?"),
    "value of a hyper-parameter": (["run", "--config", "range.toml"], "factors is 0"),
    "schedule": (["run", "--config", "cron.toml"], "write five fields"),
    "engine": (["run", "--config", "engine.toml"], "it is no address of ray"),
    "store": (["recs", "u1", "--store", "nowhere"], "Nothing is published in the store nowhere"),
    "night": (["status", "--store", "nowhere"], "No night has run in the store nowhere yet"),
    "export": (["diff", "2026-01-01", "2026-01-02"], "2026-01-01"),
}
ANSWERS: dict[str, tuple[list[str], str]] = {
    "help": (["--help"], "Recommendations, computed at night"),
    "help of a command": (["run", "--help"], "--force-model"),
    "version": (["--version"], "nightrec"),
    "recs": (["recs", "1"], "For user 1"),
    "verify": (["verify"], f"{RUN_DATE}: "),
    "diff": (["diff", "2026-03-30", str(RUN_DATE)], "Users: 5 in both"),
    "models": (["models"], "ease (linear)"),
    "presets": (["presets"], "retailrocket: "),
    "a preset explained": (["presets", "mind"], "--prepare MINDsmall_train"),
    "a model explained": (["models", "als"], "als (factors)"),
    "init": (["init", "new.toml"], "Wrote new.toml"),
}

SCRIPT = """
import contextlib, io, json, sys
from flows.cli.app import main
for name, arguments in json.load(sys.stdin).items():
    text, code, before = io.StringIO(), 0, set(sys.modules)
    sys.argv = ["nightrec", *arguments]
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            main()
        except SystemExit as end:
            code = end.code
    loaded = sorted({module.partition(".")[0] for module in set(sys.modules) - before})
    print(json.dumps([name, code, " ".join(text.getvalue().split()), loaded]))
"""


@dataclass(frozen=True)
class Answer:
    code: int
    text: str
    heavy: set[str]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answer]:
    """All commands, one after another in one process; what a command is the first to load counts as its own."""
    folder = tmp_path_factory.mktemp("site")
    publish(prepare_night(folder / "store", RUN_DATE.replace(month=3, day=30)))
    publish(prepare_night(folder / "store"), k=2)
    write(folder / "log.csv", log())
    write(folder / "setting.toml", "[exports]\nk = 5\n")
    write(folder / "value.toml", "[export]\nk = 0\n")
    write(folder / "parameter.toml", "[models.als]\nparameters = { factor = 3 }\n")
    write(folder / "range.toml", "[models.als]\nparameters = { factors = 0 }\n")
    write(folder / "engine.toml", '[engine]\nkind = "ray"\naddress = "head"\n')
    write(folder / "cron.toml", '[schedule]\ncron = "every night"\n')
    commands = {name: arguments for name, (arguments, _) in (ANSWERS | MISTAKES).items()}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(commands),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return {name: Answer(code, text, HEAVY & set(loaded)) for name, code, text, loaded in found}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_loads_nothing_heavy(name: str, answers: Mapping[str, Answer]) -> None:
    answer = answers[name]
    assert (answer.code, answer.heavy - {"pandas"}) == (0, set())  # which pyarrow.dataset loads
    assert ANSWERS[name][1] in answer.text


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_before_anything_heavy_is_loaded(name: str, answers: Mapping[str, Answer]) -> None:
    answer = answers[name]
    assert (answer.code, answer.heavy) == (2, set())
    assert MISTAKES[name][1] in answer.text
