"""A few inputs of each area, and that the faults are seen. All of them: `python -m tests.reliability fuzz`."""

from pathlib import Path
from random import Random

import pytest

from recmodels.errors import DataRefused
from tests.reliability.fuzz import AREAS, FEWEST, fuzz
from tests.reliability.fuzz_case import Case, Ended, called, judged, problem, smaller

pytestmark = pytest.mark.slow

SECONDS = 2.0  # an area


@pytest.mark.parametrize("area", ["readers", "settings", "commands"])
def test_inputs_are_handled_or_refused_in_a_sentence(area: str) -> None:
    row, faults = fuzz(area, 300, seed=20, seconds=SECONDS)
    assert not faults
    assert int(row["inputs"]) >= FEWEST


def test_damaged_stores_are_read_or_refused_in_a_sentence() -> None:
    assert not fuzz("stores", 60, seed=20, seconds=2 * SECONDS)[1]


@pytest.mark.parametrize("area", AREAS)
def test_the_same_seed_makes_the_same_inputs(area: str) -> None:
    if area != "stores":  # whose files have times in them
        assert AREAS[area].make(Random("a 1")) == AREAS[area].make(Random("a 1"))


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (Ended(0), ""),
        (Ended(2, err="nightrec: no such file.\n"), ""),
        (Ended(1, err="nightrec: no."), "exit code 1"),
        (Ended(2), "without a word"),
        (Ended(2, err="one\ntwo"), "several lines"),
        (Ended(2, err="x" * 401), "more than 400"),
        (Ended(0, out="\x1b[2J"), "commands the terminal"),
        (Ended(1, raised="KeyError in x"), "KeyError"),
    ],
)
def test_a_fault_is_seen(ended: Ended, says: str) -> None:
    found = judged(ended, frozenset({0, 2}))
    assert says in found and bool(found) == bool(says)


class Brittle:
    """Fails for files with a 7, says too much of those with an 8, and never ends with a 9."""

    codes = frozenset({0, 3})

    def prepare(self, folder: Path) -> None: ...

    def make(self, chance: Random) -> Case:
        return Case({"a": b"0"})

    def run(self, case: Case, folder: Path) -> Ended:
        data = (folder / "a").read_bytes() if "a" in case.files else b""

        def work() -> None:
            if b"7" in data:
                raise KeyError(7)
            if b"8" in data:
                raise DataRefused("8" * 500)

        return called(work)


def test_errors_that_nobody_foresaw_and_messages_that_are_cut_are_faults(tmp_path: Path) -> None:
    assert problem(Brittle(), Case({"a": b"123"}), tmp_path) == ""
    assert "KeyError" in problem(Brittle(), Case({"a": b"127"}), tmp_path)
    assert "a message that is cut" in problem(Brittle(), Case({"a": b"128"}), tmp_path)


def test_an_input_is_made_smaller(tmp_path: Path) -> None:
    case = Case({"a": b"0123456789" * 3, "b": b"more"}, settings={"of": "no use"})
    least = smaller(Brittle(), case, tmp_path, problem(Brittle(), case, tmp_path))
    assert least.files.keys() == {"a"} and not least.settings and len(least.files["a"]) <= 8
