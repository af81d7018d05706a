"""Suites run on any number of frames, and add up what they find."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expectations import extremes, runner
from expectations.rules import Rule, present, row_rule, statistic
from expectations.runner import Suite, checkable, suite_result


@pytest.mark.slow
def test_rows_that_break_a_rule_are_numbered_within_their_frame_and_counted_over_all() -> None:
    suite = Suite("s", [present("x"), row_rule("ExpectColumnValuesToBeBetween", "x", "", bounds={"max_value": 5})])
    first = [rows.tolist() for rows in suite.check(pd.DataFrame({"x": [1.0, None, 9.0]}))]
    second = [rows.tolist() for rows in suite.check(pd.DataFrame({"x": [6.0, 1.0, 2.0, None]}))]
    assert first == [[1], [2]]
    assert second == [[3], [0]]
    assert [(finding.rows, finding.refused) for finding in suite.findings] == [(7, 2), (7, 2)]


def test_a_rule_of_rows_warns_and_a_rule_of_the_table_is_critical() -> None:
    suite = Suite("s", [present("x"), statistic("n", "rows", "", "", at_least=1)])
    suite.check(pd.DataFrame({"x": [None, 1.0], "n": [0, 0]}))
    assert [finding.rule.column for finding in suite.failed("warning")] == ["x"]
    assert [finding.rule.column for finding in suite.failed("critical")] == ["rows"]


def test_a_rule_that_raises_is_critical_whatever_its_severity() -> None:
    suite = Suite("s", [present("absent"), present("x")])
    suite.check(pd.DataFrame({"x": [1.0]}))
    [finding] = suite.failed("critical")
    assert 'The column "absent" in BatchData does not exist' in finding.error


@pytest.mark.slow
def test_many_rows_are_judged_by_extremes_as_each_of_them_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [
        present("text"),
        row_rule("ExpectColumnValuesToBeBetween", "number", "", bounds={"min_value": 0, "max_value": 5}),
        row_rule("ExpectColumnValuesToBeInSet", "known", "", bounds={"value_set": [True]}),
    ]
    rows = checkable(
        pa.record_batch(
            {
                "text": ["a"] * 13 + [" "] + ["a"] * 26,
                "number": [1.0] * 20 + [None, -1.0, 6.0, float("nan")] + [5.0] * 16,
            }
        ),
        {"known": np.arange(40) != 27},
    )
    monkeypatch.setattr(runner, "MANY", 40)
    monkeypatch.setattr(extremes, "TOGETHER", 4)
    suite, of_each = Suite("s", rules), Suite("s", rules)
    found = suite.check_rows(rows)
    assert [broken.tolist() for broken in found] == [[13], [21, 22, 23], [27]]
    of_each.check(rows.to_pandas())
    assert suite.findings == of_each.findings


@pytest.mark.parametrize("number", [None, float("nan")])
def test_a_statistic_that_could_not_be_computed_is_not_within_bounds(number: float | None) -> None:
    suite = Suite("s", [statistic("n", "rows", "", "", at_least=1)])
    suite.check(pd.DataFrame({"n": [number]}))
    assert len(suite.failed("critical")) == 1


def test_two_rules_of_one_expectation_on_one_column_are_kept_apart() -> None:
    def between(says: str, **bounds: float) -> Rule:
        return row_rule("ExpectColumnValuesToBeBetween", "x", says, bounds=bounds)

    suite = Suite("s", [between("low", min_value=1), between("high", max_value=5), between("high", max_value=6)])
    found = suite.check(pd.DataFrame({"x": [0.0, 3.0, 5.5, 7.0]}))
    assert [rows.tolist() for rows in found] == [[0], [2, 3], [3]]


def test_the_added_up_result_has_counts_and_no_values() -> None:
    suite = Suite("s", [present("x")])
    for values in (["secret", None], ["secret", "secret"]):
        suite.check(pd.DataFrame({"x": values}))
    result = suite_result(suite, "2026-11-25")
    assert not result.success
    assert result.results[0].result["element_count"] == 4
    assert result.results[0].result["unexpected_count"] == 1
    assert "secret" not in str(result)


def test_a_frame_says_of_texts_only_that_they_are_there_and_has_no_nan_that_is_not_missing() -> None:
    batch = pa.record_batch(
        {
            "text": pa.array(["a", "", " \t", None]),
            "code": pa.array([" ", "a", None, "a"]).dictionary_encode(),
            "number": pa.array([1.0, float("nan"), None, float("-inf")]),
            "empty": pa.nulls(4),
            "id": pa.array([1, 2, 3, 2**60]),
        }
    )
    frame = checkable(batch, {"twice": np.array([1, 1, 2, 1])}).to_pandas()
    assert frame["text"].fillna(0).tolist() == [1, 0, 0, 0]
    assert frame["code"].fillna(0).tolist() == [0, 1, 0, 1]
    assert frame["number"].isna().tolist() == [False, False, True, False]
    assert np.isinf(frame["number"][1])
    assert frame["empty"].isna().all()
    assert frame["id"].dtype == np.int64
    assert frame["twice"].tolist() == [1, 1, 2, 1]
