"""Great Expectations as nightrec uses it: quiet, on pandas frames, one partition at a time, results added up.

Great Expectations takes seconds to import, so it is imported when the first suite is built and not before.
"""

from __future__ import annotations

import html
import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from expectations import extremes
from expectations.rules import Rule
from recmodels.compute.deferred import absent, deferred
from recmodels.compute.memory import all_stays
from recmodels.errors import DataRefused

ONE_AT_A_TIME = threading.Lock()  # the nights of a range share what checks frames and renders pages
RESULT_FORMAT = {  # COMPLETE for the row numbers; the values themselves are nobody's business
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def _is_text(t: pa.DataType) -> bool:
    return bool(pa.types.is_string(t) or pa.types.is_large_string(t))


ELSEWHERE = ("azure", "boto3", "botocore", "google", "pyspark", "sqlalchemy")
"""Where Great Expectations can look for data, if it is installed: ours are frames in this process."""

INDEX = "index.html"  # of a folder of Data Docs
MANY = 10_000  # rows: of fewer each is looked at, as it takes Great Expectations longer to begin than to look


KINDS: dict[str, tuple[Any, str]] = {  # types are checked on the Arrow schema: pandas has several for each of them
    "id": (lambda t: _is_text(t) or pa.types.is_integer(t), "an integer or a text"),
    "text": (_is_text, "a text"),
    "number": (lambda t: pa.types.is_floating(t) or pa.types.is_integer(t), "a number"),
    "truth": (pa.types.is_boolean, "true or false"),
    "timestamp": (lambda t: pa.types.is_timestamp(t) and t.tz is not None, "a timestamp with a zone"),
}


@dataclass
class Finding:
    """What a rule found in all frames so far."""

    rule: Rule
    rows: int = 0  # that were looked at
    refused: int = 0
    passed: bool = True
    observed: Any = None  # the statistic that a table rule looked at
    error: str = ""  # why the rule could not be evaluated


@dataclass(frozen=True)
class _Result:
    """What Great Expectations says of a frame by one rule: the rows that break it, and see `Finding`."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    passed: bool = True
    observed: Any = None
    error: str = ""


class Suite:
    """A suite of expectations made from rules, run on any number of frames whose findings it adds up."""

    def __init__(self, name: str, rules: Sequence[Rule]) -> None:
        gx = great_expectations()
        self._suite = gx.ExpectationSuite(
            name=name,
            expectations=[
                getattr(gx.expectations, rule.expectation)(
                    column=rule.checked, severity=rule.severity, meta={"rule": number}, **rule.bounds
                )
                for number, rule in enumerate(rules)
            ],
        )
        self.name = name
        self.findings = [Finding(rule) for rule in rules]

    def check(self, frame: pd.DataFrame) -> list[NDArray[np.int64]]:
        """Validate a frame: for each rule the row numbers (from 0) that break it; none for rules of statistics.

        `frame` has a range index and NumPy columns (Arrow-backed ones are a hundred times slower).
        """
        found = self._validated(frame)
        return self._noted(found, len(frame), [one.rows for one in found])

    def check_rows(self, rows: pa.Table) -> list[NDArray[np.int64]]:
        """The same by rules of rows, of columns that are `checkable`; most rows are judged by extremes (see there)."""
        rules = [finding.rule for finding in self.findings]
        if len(rows) >= MANY and extremes.tell(rules, rows):
            found = self._validated(extremes.extremes(rows).to_pandas())
            suspects = extremes.suspects([one.rows for one in found], len(rows))
            if not any(one.error for one in found) and len(suspects) < len(rows) // 2:
                broken = [suspects[:0]] * len(found)
                if len(suspects):
                    found = self._validated(rows.take(pa.array(suspects)).to_pandas())
                    broken = [suspects[one.rows] for one in found]
                return self._noted(found, len(rows), broken)
        return self.check(rows.to_pandas())

    def _validated(self, frame: pd.DataFrame) -> list[_Result]:
        """What Great Expectations says of a frame, by rule."""
        from expectations.models import configured_once

        vars(frame)["memory_usage"] = _no_sizes
        with ONE_AT_A_TIME, configured_once():
            results = _frames().get_batch({"dataframe": frame}).validate(self._suite, result_format=RESULT_FORMAT)
        found = [_Result() for _ in self.findings]
        for result in results.results:
            said = result.result
            observed = said.get("observed_value")
            found[result.expectation_config.meta["rule"]] = _Result(
                np.asarray(said.get("unexpected_index_list") or [], np.int64),
                bool(result.success),
                observed.item() if isinstance(observed, np.generic) else observed,
                _error(result.exception_info),
            )
        return found

    def _noted(self, found: Sequence[_Result], n_rows: int, broken: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Take in what was found of rows; gives those that are broken."""
        for finding, one, rows in zip(self.findings, found, broken, strict=True):
            finding.rows += n_rows
            finding.refused += len(rows)
            finding.passed &= one.passed
            finding.error = finding.error or one.error
            finding.observed = finding.observed if one.observed is None else one.observed
        return broken

    def add(self, rows: int, refused: Sequence[int], errors: Sequence[str] | None = None) -> None:
        """Take in rows that were checked elsewhere, of which each rule refuses some; for rules of rows alone.

        `errors`: why a rule could not be evaluated there.
        """
        for finding, count, error in zip(self.findings, refused, errors or [""] * len(refused), strict=True):
            finding.rows += rows
            finding.refused += count
            finding.error = finding.error or error
            finding.passed &= not count and not error

    def failed(self, severity: Literal["critical", "warning"]) -> list[Finding]:
        """The rules of a severity that were broken. One that could not be evaluated is critical whatever it says."""
        return [
            finding
            for finding in self.findings
            if not finding.passed and ("critical" if finding.error else finding.rule.severity) == severity
        ]


def _no_sizes() -> pd.Series:
    """What a frame says when Great Expectations asks, twice, how large it is, to fingerprint none of ours."""
    return _NO_SIZES


_NO_SIZES = pd.Series([0])


@cache
def great_expectations() -> Any:
    """The library, imported with its analytics off unless the environment turns them on.

    Its import makes a million objects that all stay: to look among them for garbage takes a sixth of its time, and
    later collections do not look at them either. What it imports for charts and for distributions, of which no rule of
    ours asks anything, takes another third, and what its models copy of each other a third of what is left. Clients of
    databases and clouds, which it imports if they are there, take half of its memory (36 MB).
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with all_stays():
        from expectations.models import quickly_inherited

        with deferred("altair", "scipy.stats"), absent(*ELSEWHERE), quickly_inherited():
            import great_expectations as gx
    return gx


@cache
def _frames() -> Any:
    """What makes a batch of a frame: one for all suites, as it takes as long to make as a small frame to check."""
    gx = great_expectations()
    from great_expectations.core import id_dict
    from great_expectations.execution_engine import pandas_execution_engine

    from expectations.models import plainly_identified

    plainly_identified(id_dict)
    pandas_execution_engine.HASH_THRESHOLD = 0  # bytes: larger frames have no fingerprint, which nobody asks for
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    frames = context.data_sources.add_pandas("pandas").add_dataframe_asset("frames")
    return frames.add_batch_definition_whole_dataframe("frame")


@cache
def _view() -> Any:
    """What renders sections of pages: one for all pages, as it compiles its templates at their first use."""
    great_expectations()
    from great_expectations.render.view import DefaultJinjaSectionView

    return DefaultJinjaSectionView()


def check_schema(table: str, schema: pa.Schema, required: Mapping[str, str], optional: Mapping[str, str]) -> None:
    """The columns are there and of a usable kind.

    Raises:
        DataRefused: one is not.
    """
    for column in required:
        if column not in schema.names:
            raise DataRefused(
                f"The table {table} has no column {column} (ExpectColumnToExist): map one of its columns "
                f"({', '.join(schema.names)}) to {column}."
            )
    for column, kind in {**required, **optional}.items():
        if column not in schema.names:
            continue
        is_kind, words = KINDS[kind]
        found = schema.field(column).type
        if not is_kind(found) and not (column in optional and pa.types.is_null(found)):
            raise DataRefused(
                f"The column {column} of the table {table} is of type {found}, not {words} "
                "(ExpectColumnValuesToBeOfType): map another column to it, or convert it."
            )


def checkable(batch: pa.RecordBatch, derived: Mapping[str, NDArray[Any]] | None = None) -> pa.Table:
    """A partition as Great Expectations checks it once it is a frame, with `derived` columns added.

    A text becomes 1, or missing if it is blank: rules ask no more of texts, and hashing them, as Great Expectations
    does with every frame, would take most of the time. A NaN, which pandas takes for missing, becomes infinite.
    """
    columns = {name: _checkable(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    return pa.table(columns | {name: pa.array(column) for name, column in (derived or {}).items()})


def write_docs(folder: Path, suites: Iterable[Suite], run_date: str) -> None:
    """Write a page of Data Docs for each suite into `folder`, and an index of all that are there.

    The pages are Great Expectations' own renderings in a plain shell: nothing is loaded from anywhere, the same
    night gives the same bytes, and no value of the data is in them.
    """
    great_expectations()
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    folder.mkdir(parents=True, exist_ok=True)
    for suite in suites:
        with ONE_AT_A_TIME:
            document = ValidationResultsPageRenderer().render(suite_result(suite, run_date))
            body = "".join(
                _view().render({"section": section.to_json_dict(), "section_loop": {"index": number}})
                for number, section in enumerate(document.sections, 1)
            )
        mark = "failed" if suite.failed("critical") else "warned" if suite.failed("warning") else "passed"
        _write_page(folder / f"{suite.name}.html", f"{run_date}: {suite.name} {mark}", _without_ids(body))
    pages = [path for path in sorted(folder.glob("*.html")) if path.name != INDEX]
    links = "".join(f'<li><a href="{path.name}">{html.escape(_title(path))}</a></li>' for path in pages)
    _write_page(folder / INDEX, f"{run_date}: data quality", f"<ul>{links}</ul>")


def suite_result(suite: Suite, run_date: str) -> Any:
    """The findings of a suite over all frames as one result of Great Expectations, counts only."""
    great_expectations()
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult

    expectations = {e.meta["rule"]: e for e in suite._suite.expectations}
    results = []
    for number, finding in enumerate(suite.findings):
        result: dict[str, Any] = {"observed_value": finding.observed}
        if finding.observed is None:
            share = 100 * finding.refused / max(finding.rows, 1)
            result = {
                "element_count": finding.rows,
                "unexpected_count": finding.refused,
                "unexpected_percent": share,
                "unexpected_percent_total": share,
                "unexpected_percent_nonmissing": share,
            }
        results.append(
            ExpectationValidationResult(
                success=finding.passed,
                expectation_config=expectations[number].configuration,
                result=result,
                exception_info={
                    "raised_exception": bool(finding.error),
                    "exception_message": finding.error or None,
                    "exception_traceback": None,
                },
            )
        )
    passed = sum(finding.passed for finding in suite.findings)
    return ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100 * passed / max(len(results), 1),
        },
        meta={"run_id": {"run_name": run_date, "run_time": f"{run_date}T00:00:00+00:00"}},
    )


def _checkable(column: pa.Array) -> pa.Array:
    """The column with what no rule looks at left out. Of texts that is all but whether there is one."""
    if pa.types.is_dictionary(column.type):
        return _checkable(column.dictionary).take(column.indices)
    if _is_text(column.type):
        there = pc.not_equal(pc.utf8_trim_whitespace(column), "")
        return pc.if_else(there, pa.scalar(1, pa.float32()), None)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), np.inf, column)
    return column.cast(pa.float32()) if pa.types.is_null(column.type) else column


def _error(info: Mapping[str, Any]) -> str:
    """The message of an exception within a result: either there, or in a dictionary a metric."""
    for each in [info, *info.values()]:
        if isinstance(each, Mapping) and each.get("raised_exception"):
            return str(each.get("exception_message")).strip()
    return ""


SHELL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border-top: 1px solid #ddd; padding: .3rem; text-align: left }}
.fa-check-circle::before {{ content: "\\2713"; color: #198754 }} .fa-times::before {{ content: "\\2717" }}
.text-danger {{ color: #b02a37 }} .ge-section {{ margin-bottom: 1.5rem }} h5 {{ font-size: 1.1rem; margin: 0 }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


def _write_page(path: Path, title: str, body: str) -> None:
    path.write_text(SHELL.format(title=html.escape(title), body=body), encoding="utf-8")


def _title(path: Path) -> str:
    found = re.search("<title>(.*?)</title>", path.read_text(encoding="utf-8"))
    return html.unescape(found[1]) if found else path.stem


def _without_ids(body: str) -> str:
    """The page without the random ids that Great Expectations gives elements, and without links that lead nowhere."""
    body = re.sub(r"-?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", body)
    return re.sub(r'<a href="\.\./[^"]*"\s*>(.*?)</a>', r"\1", body)
