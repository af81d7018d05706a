"""The demo of dirt: the same rows as those of the demo site, in files of many kinds, the same for the same seed."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from recmodels.demo import write_site

SMALL: dict[str, Any] = {"users": 100, "items": 80, "interactions": 2_000, "end": date(2026, 7, 22), "dirty": "heavy"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in [("one", 3), ("two", 3), ("three", 4)]:
        write_site(tmp_path / name, **SMALL, seed=seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert [name for name, text in one.items() if name.startswith("interactions/e") and three[name] == text] == []


def test_every_file_is_listed_with_what_a_reader_must_find(tmp_path: Path) -> None:
    said = write_site(tmp_path, **SMALL)
    truth = json.loads((tmp_path / "dirt.json").read_text(encoding="utf-8"))
    assert {file["name"] for file in truth} | {"dirt.json", "nightrec.toml"} == contents(tmp_path).keys()
    assert said["files"] == {name: name for name in ("interactions", "items", "users")}
    assert said["rows"]["interactions"] == 2_000 + 6  # of each fault a row in two thousand
    assert {name: sum(file["rows"] for file in truth if file["table"] == name) for name in said["rows"]} == said["rows"]
    assert all(file["what"] for file in truth)
    assert all(file["says"] for file in truth if file["name"].startswith("refused/"))


def test_writing_again_replaces_the_files_and_leaves_no_others(tmp_path: Path) -> None:
    write_site(tmp_path, **SMALL)
    before = contents(tmp_path)
    write_site(tmp_path, **SMALL, seed=1)
    assert contents(tmp_path).keys() == before.keys()


@pytest.mark.parametrize("interactions", [1, 20])
def test_a_tiny_site_has_fewer_files_and_all_rows(tmp_path: Path, interactions: int) -> None:
    said = write_site(tmp_path, users=1, items=1, interactions=interactions, end=date(2026, 7, 22), dirty="heavy")
    assert said["rows"] == {"interactions": interactions, "items": 1, "users": 2}  # who opts out in a second row
