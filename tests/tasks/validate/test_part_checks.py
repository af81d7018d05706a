"""Tables whose parts an engine checks are to the byte those that are checked here, and so is what is said of them."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.settings import ValidationSettings
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Engine
from recmodels.errors import DataRefused
from tasks.store.accounts import NUMBERS_TEXT
from tasks.store.files import write_json
from tasks.store.parts import part_path
from tasks.validate import part_checks
from tests.clusters import RayNodes
from tests.tasks.validate.test_exposures import EXPORT, shown
from tests.tasks.validated import KNOWN, LENIENT, RATED, YESTERDAY, Night, interactions

ODD: list[dict[str, list[Any]]] = [
    {},
    {"user_id": [None]},
    {"timestamp": [None, YESTERDAY + timedelta(days=9)], "timestamp_text": ["soon"]},
    {"item_id": [50, None, 20]},
    {"rating": [9.0, None, 5.1]},
]
"""What rows of a part have that good ones have not."""


@pytest.mark.slow
@given(
    parts=st.lists(st.sampled_from(ODD), min_size=1, max_size=5),
    rules=st.sampled_from([LENIENT, KNOWN, RATED, ValidationSettings()]),
    rows=st.sampled_from([1, 9, 100]),
)
@settings(max_examples=6, deadline=None)
def test_any_parts_come_out_alike(
    parts: list[dict[str, list[Any]]],
    rules: ValidationSettings,
    rows: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    night = Night(tmp_path_factory.mktemp("night"))
    for number, odd in enumerate(parts):
        table = pa.table(interactions(**odd) | _origin(f"{number}.csv", 8))
        pq.write_table(table, part_path(night.root / "raw", "interactions", number))
    night.raw("items", {"item_id": pa.array([10, 20, 30, 40, 20]), "available": pa.array([True] * 4 + [False])})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(part_checks, "ROWS", rows)
        alone, on_engine = _both(night, rules, pages=False)  # those are the next test's
    assert on_engine == alone


@pytest.mark.slow
def test_every_table_comes_out_alike(night: Night) -> None:
    night.raw("interactions", interactions(user_id=[None], timestamp=[YESTERDAY - timedelta(days=20_000)]))
    night.raw("users", {"user_id": [1, 2, 2, None], "opted_out": [False, False, True, None]})
    items = {"item_id": [10, 20, 20], "title": ["a", "b", "c"], NUMBERS_TEXT: pa.nulls(3, pa.string())}
    night.raw("items", items)
    night.raw("exposures", shown(rank=[0], timestamp=[YESTERDAY - timedelta(hours=1)], clicked_text=["maybe"]))
    alone, on_engine = _both(night, LENIENT, published={EXPORT: YESTERDAY})
    assert on_engine == alone
    assert {path.split("/")[0] for path in alone[1]} == {"valid", "quarantine", "docs"}
    assert night.read("valid/users")["opted_out"].to_pylist() == [False, True]  # as a later row says


def test_a_rule_that_cannot_be_evaluated_stops_the_night_wherever_that_was(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.raw("interactions", interactions())
    monkeypatch.setattr(part_checks, "write_json", lambda path, content: write_json(path, _with_error(content)))
    with using(LocalEngine(2)):
        assert "could not be evaluated: no such column" in night.refusal(on_engine=night.root / "work")


@pytest.mark.slow
def test_parts_that_were_checked_are_not_checked_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.raw("interactions", interactions(user_id=[None]))
    alone, on_engine = _both(night, LENIENT)
    monkeypatch.setattr(part_checks, "find_refused", None)
    assert _found(night, LENIENT, on_engine=night.root / "work") == on_engine == alone


@pytest.mark.parametrize("disk", ["common disk", "exchange"])
def test_a_cluster_finds_the_same(
    night: Night, ray_cluster: RayNodes, ray_engine: Engine, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recmodels.engine.ray import RayEngine

    for number, odd in enumerate(ODD):
        table = pa.table(interactions(**odd) | _origin(f"{number}.csv", 8))
        pq.write_table(table, part_path(night.root / "raw", "interactions", number))
    night.raw("items", {"item_id": [10, 20, 30, 40, 20]})
    monkeypatch.setattr(part_checks, "ROWS", 9)
    engine = ray_engine if disk == "common disk" else RayEngine(ray_cluster.address, str(night.root / "exchange"))
    alone, on_engine = _both(night, KNOWN, engine)
    assert on_engine == alone
    assert any(path.startswith("quarantine/interactions") for path in alone[1])


def _with_error(content: dict[str, list[str]]) -> dict[str, list[str]]:
    return {"errors": ["no such column", *content["errors"][1:]]}


def _origin(name: str, rows: int) -> dict[str, Any]:
    return {"source_file": pa.array([name] * rows), "source_row": pa.array(range(2, rows + 2), pa.int64())}


def _both(night: Night, rules: ValidationSettings, engine: Engine | None = None, **more: Any) -> tuple[Any, Any]:
    """What is said and written by a night that checks everything here, and by one whose parts an engine checks."""
    alone = _found(night, rules, **more)
    with using(engine or LocalEngine(2)):
        return alone, _found(night, rules, on_engine=night.root / "work", **more)


def _found(night: Night, rules: ValidationSettings, *, pages: bool = True, **more: Any) -> tuple[Any, dict[str, bytes]]:
    for path in (night.root / name for name in ("valid", "quarantine", "docs")):
        for file in path.rglob("*.*"):
            file.unlink()
    said: Any
    try:
        said = night.validate(rules, docs_out=night.docs if pages else None, **more)
    except DataRefused as error:
        said = str(error)
    files = [path for name in ("valid", "quarantine", "docs") for path in (night.root / name).rglob("*.*")]
    return said, {path.relative_to(night.root).as_posix(): path.read_bytes() for path in sorted(files)}
