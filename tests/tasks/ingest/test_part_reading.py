"""Raw tables whose parts an engine reads are to the byte what is read file by file, and so is what is said of them."""

from __future__ import annotations

import bz2
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.settings.site import load
from recmodels.demo import write_site
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Engine
from recmodels.errors import DataRefused
from tasks.ingest import part_reading, table_parts
from tasks.ingest.part_reading import division
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.sources import Source
from tests.clusters import RayNodes
from tests.tasks.ingest.test_dirt import CUTOFF as DIRT_CUTOFF
from tests.tasks.ingest.test_dirt import NOW as DIRT_NOW
from tests.tasks.ingest.test_dirt import SMALL
from tests.tasks.raw import CUTOFF, HEADER, NOW

LINES = ("1,1,2023-01-01", "2,7,2023-05-01", "3,1,soon", "4,4,2024-06-01", "5", "", "6,,2023-01-01", "x1,1,2023-01-01")
REFUSED = HEADER + '1,2,2023-01-01\n"3\n4",1,2023-01-01\n'  # an id that runs over several lines


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parts, "FULL", 4)


@pytest.mark.slow
def test_the_demo_of_dirt_is_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parts, "FULL", 1_000)
    write_site(tmp_path / "site", **SMALL, dirty="heavy")
    inputs = load(tmp_path / "site" / "nightrec.toml").tables()
    assert inputs
    alone, on_engine = _both(tmp_path, inputs, DIRT_CUTOFF, DIRT_NOW)
    assert on_engine == alone
    assert len([path for path in alone[1] if path.startswith("interactions")]) > 1
    assert "rejects.parquet" in alone[1]


@given(files=st.lists(st.lists(st.sampled_from(LINES), max_size=6), min_size=1, max_size=6))
@settings(max_examples=8, deadline=None)
@pytest.mark.slow
def test_any_small_files_make_the_same_parts(files: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(table_parts, "FULL", 4)
        folder = tmp_path_factory.mktemp("files")
        table = _log(folder, *[HEADER + "".join(f"{line}\n" for line in lines) for lines in files])
        alone, on_engine = _both(folder, Inputs(interactions=table))
        assert on_engine == alone


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.slow
def test_what_is_said_first_is_what_one_hears_wherever_it_was_read(tmp_path: Path) -> None:
    good, text = HEADER + "1,2,2023-01-01\n" * 4, HEADER + "x7,2,2023-01-01\n" * 4
    for number, files in enumerate([(good, REFUSED, REFUSED), (good, text, REFUSED, good), (text, REFUSED, good)]):
        (folder := tmp_path / str(number)).mkdir()
        alone, on_engine = _both(folder, Inputs(interactions=_log(folder, *files)))
        assert on_engine == alone
        assert f"{files.index(REFUSED):02}.csv, line 3: user_id runs over several lines" in alone[0]


def test_files_that_are_read_by_way_of_a_copy_are_named_as_the_site_names_them(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "1.csv.bz2").write_bytes(
        bz2.compress((HEADER + "1,2,2023-01-01\r\n3,4,2023-01-02\n\n5\n").encode())
    )
    (tmp_path / "log" / "2.csv").write_bytes(b"user_id,item_id,timestamp\r1,2,2023-01-01\r\n1,2,2023-01-02\n")
    alone, on_engine = _both(tmp_path, Inputs(interactions=TableInput(path=str(tmp_path / "log"))))
    assert on_engine == alone
    assert alone[1]


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.slow
def test_parts_that_were_foreseen_wrongly_are_read_again_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, late = "1,2,2023-01-01\n", "1,2,2024-01-01\n"
    table = _log(tmp_path, HEADER + row * 5, HEADER + row * 2 + late * 2, HEADER + row * 3, HEADER + row)
    read, original = list[int](), part_reading._read

    def noted(told: Any, *more: Any) -> Any:
        read.append(len(told.sources))
        return original(told, *more)

    monkeypatch.setattr(part_reading, "_read", noted)
    alone, on_engine = _both(tmp_path, Inputs(interactions=table))
    assert on_engine == alone
    assert sorted(read) == [1, 1, 1, 2, 2]  # a, b, cd; as b has two rows before the cutoff: bc, d
    read.clear()
    assert _on_engine(tmp_path, Inputs(interactions=table), "again") == alone
    assert read == []  # what was made before is there


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("disk", ["common disk", "exchange"])
def test_a_cluster_reads_the_same_parts(tmp_path: Path, ray_cluster: RayNodes, ray_engine: Engine, disk: str) -> None:
    from recmodels.engine.ray import RayEngine

    table = _log(tmp_path, *[HEADER + "".join(f"{line}\n" for line in LINES[place:]) for place in range(4)], REFUSED)
    refused, good = Path(table.path) / "04.csv", Inputs(interactions=table)
    packed = Path(table.path) / "05.csv.bz2"
    packed.write_bytes(bz2.compress((HEADER + "7,7,2023-01-01\n").encode()))
    engine = ray_engine if disk == "common disk" else RayEngine(ray_cluster.address, str(tmp_path / "exchange"))
    for number in range(2):
        (folder := tmp_path / str(number)).mkdir()
        alone, on_engine = _both(folder, good, engine=engine)
        assert on_engine == alone
        assert ("runs over" in alone[0]) == (number == 0)
        refused.unlink(missing_ok=True)


def test_a_part_has_files_until_their_rows_are_enough() -> None:
    sources = [Source(Path(name), Path(name), "csv", {}) for name in "abcde"]
    rows = dict(zip((source.path for source in sources), (3, 1, 9, 0, 4), strict=True))
    runs = division(sources, rows, 4)
    assert ["".join(str(source.path) for source in run) for run in runs] == ["ab", "c", "de"]
    assert division(sources, {}, None) == [sources]


def _log(folder: Path, *files: str) -> TableInput:
    (folder / "log").mkdir()
    for number, text in enumerate(files):
        (folder / "log" / f"{number:02}.csv").write_text(text)
    return TableInput(path=str(folder / "log"))


def _both(
    folder: Path, inputs: Inputs, cutoff: Any = CUTOFF, now: Any = NOW, engine: Engine | None = None
) -> tuple[Any, Any]:
    """What is said and the bytes that are written, one file after another, and by an engine."""
    (out := folder / "alone").mkdir()
    alone = _found(out, lambda: write_raw(inputs, cutoff, now, out, threads=1))
    return alone, _on_engine(folder, inputs, "engine", cutoff, now, engine)


def _on_engine(
    folder: Path, inputs: Inputs, name: str, cutoff: Any = CUTOFF, now: Any = NOW, engine: Engine | None = None
) -> Any:
    (out := folder / name).mkdir()
    with using(engine or LocalEngine(2)):
        return _found(out, lambda: write_raw(inputs, cutoff, now, out, on_engine=folder / "work"))


def _found(out: Path, write: Any) -> tuple[str, dict[str, bytes]]:
    try:
        said = json.dumps(write(), sort_keys=True)
    except DataRefused as error:
        return str(error), {}
    return said, {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
