"""What became slower is named, and nothing else."""

from typing import Any

import pytest

from tests.benchmarks.record import measure, table


def record(commit: str, **ratios: float) -> dict[str, Any]:
    return {"commit": commit, "ratios": ratios, "seconds": {name: ratio / 2 for name, ratio in ratios.items()}}


def test_a_fifth_more_than_the_last_time_is_slower() -> None:
    earlier = [record("aaaa", ingest=1.0, night=10.0), record("bbbb", ingest=2.0)]
    text = table(record("cccc", ingest=2.39, night=12.5, top_k=3.0), earlier)
    assert text.splitlines()[1:] == [
        "ingest              1.195    2.390    2.000",
        "night               6.250   12.500   10.000  25% slower than at aaaa",
        "top_k               1.500    3.000",
    ]


@pytest.mark.slow
def test_a_figure_is_the_best_of_the_turns() -> None:
    turns = []
    best, calibration = measure({"case": lambda: turns.append(1)}, turns=3)
    assert len(turns) == 3 and 0 < best["case"] < calibration
