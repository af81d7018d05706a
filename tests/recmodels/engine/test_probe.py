"""How a node is, seen from the node."""

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

from recmodels.engine.errand import sources
from recmodels.engine.probe import look


def test_it_says_what_runs_there_and_how_much_memory_there_is() -> None:
    found = json.loads(json.dumps(look({})))
    assert found["python"] == platform.python_version() == sys.version.split()[0]
    assert found["nightrec"] == version("nightrec")
    assert found["sources"] == sources()
    assert 0 < found["memory"] <= psutil.virtual_memory().total
    shared = os.statvfs("/dev/shm") if Path("/dev/shm").is_dir() else None
    assert found["shm"] == (shared and shared.f_blocks * shared.f_frsize)
    assert (found["exchange"], found["store"]) == ("", "")


def test_the_exchange_is_written_read_and_left_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "exchange"
    assert look({"exchange": str(place)})["exchange"] == ""
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_an_exchange_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "nothing can be written to it" in look({"exchange": str(tmp_path / "file")})["exchange"]
    refused = look({"exchange": "s3://me:hunter2@bucket/x"})["exchange"]
    assert "holds a secret" in refused and "hunter2" not in refused


def test_another_store_is_none(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    told = {"seen": str(seen), "content": "ours"}
    assert look(told)["store"] == "it is not there (No such file or directory)"
    seen.write_text("theirs")
    assert look(told)["store"] == "there is another store"
    seen.write_text("ours")
    assert look(told)["store"] == ""
