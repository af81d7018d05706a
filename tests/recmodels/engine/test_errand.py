"""What a process is told to do, and answers."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from recmodels.engine import errand as module
from recmodels.engine.errand import Answer, Errand, error_of, found, perform, sources
from recmodels.engine.parts import name_of
from recmodels.engine.work import Work
from recmodels.errors import ConfigError, DataRefused, EngineUnavailable, NightrecError
from tests.recmodels.engine.contract import doubled, mistaken, refusing


class Particular(NightrecError):
    """One of ours that is made of more than a message."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


def particular(work: Work) -> None:
    raise Particular("It is wrong", "here.")


def without_memory(work: Work) -> None:
    match work.arguments["kind"]:
        case "numpy":
            np.empty(2**50)
        case "duckdb":
            raise duckdb.OutOfMemoryException("failed to pin block")
        case _:
            raise MemoryError


def unreadable(work: Work) -> None:
    Path("/proc/nothing/there").read_text()


def errand(function: Any, folder: Path, **others: Any) -> Errand:
    told = Errand(name_of(function), "one", {}, {"name": "it"}, "1", sources(), 1.0, 2**30, to=str(folder))
    return replace(told, **others)


def answer_to(errand: Errand) -> Answer:
    return Answer(**json.loads(perform(json.dumps(asdict(errand)))))


def test_a_part_is_made_and_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("3")
    answer = answer_to(errand(doubled, tmp_path, inputs={"number": str(tmp_path / "number")}))
    assert (tmp_path / "one" / "doubled.json").read_text() == "6"
    assert answer.about == (tmp_path / "one" / "part.json").read_text()
    assert set(json.loads(answer.about)) == {"fingerprint", "files"}


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (refusing, DataRefused, r"^it is refused\.$"),
        (particular, NightrecError, r"^It is wrong in here\.$"),
        (unreadable, FileNotFoundError, "/proc/nothing/there"),
        (mistaken, NightrecError, r"mistaken failed with the bucket one on .*: ZeroDivisionError: by nothing"),
    ],
)
def test_errors_are_what_they_were(function: Any, kind: type[Exception], message: str, tmp_path: Path) -> None:
    error = error_of(answer_to(errand(function, tmp_path)), name_of(function), "one")
    assert type(error) is kind
    with pytest.raises(kind, match=message):
        raise error


def test_no_class_is_made_that_is_no_error_of_ours() -> None:
    for kind in ("builtins:SystemExit", "pathlib:Path"):
        error = error_of(Answer("n", failed="refused", error=kind, message="x"), "f", "b")
        assert type(error) is NightrecError
    assert type(error_of(Answer("n", failed="refused", error=name(ConfigError), message="x"), "f", "b")) is ConfigError


def name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


@pytest.mark.parametrize("kind", ["numpy", "duckdb", "python"])
def test_too_little_memory_is_known_whoever_says_it(kind: str, tmp_path: Path) -> None:
    assert answer_to(errand(without_memory, tmp_path, arguments={"kind": kind})).failed == "memory"


def test_other_sources_are_refused(tmp_path: Path) -> None:
    answer = answer_to(errand(doubled, tmp_path, sources="others"))
    assert type(error_of(answer, "f", "one")) is EngineUnavailable
    assert "has another nightrec" in answer.message


def test_the_digest_of_sources_is_that_of_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    seen = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "tasks" / "a.py").write_text(text)
        sources.cache_clear()
        seen.add(sources())
    (tmp_path / "tasks" / "a.py").rename(tmp_path / "tasks" / "b.py")
    sources.cache_clear()
    seen.add(sources())
    sources.cache_clear()
    assert len(seen) == 3


def test_functions_are_found_by_name() -> None:
    assert found(name_of(doubled)) is doubled
    assert found("recmodels.engine.exchange:Exchange.send").__name__ == "send"
