"""What a node keeps."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from recmodels.engine.cache import FOLDER, Cache, called, of_this_node


def filled(text: str, filled: list[str] | None = None):  # type: ignore[no-untyped-def]
    """Writes a file with a text, and notes that it did."""

    def fill(folder: Path) -> None:
        (folder / "file").write_text(text)
        if filled is not None:
            filled.append(text)

    return fill


def test_an_entry_is_filled_once(tmp_path: Path) -> None:
    cache, done = Cache(tmp_path), list[str]()
    for _ in range(2):
        with cache.holding("a", filled("x", done)) as entry:
            assert (entry / "file").read_text() == "x"
    assert done == ["x"]


def test_others_wait_for_who_fills_it(tmp_path: Path) -> None:
    begun, may = Event(), Event()

    def slowly(folder: Path) -> None:
        begun.set()
        assert may.wait(60)
        (folder / "file").write_text("whole")

    def read() -> str:
        with Cache(tmp_path).holding("a", slowly) as entry:
            return (entry / "file").read_text()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read)
        assert begun.wait(60)
        second = pool.submit(read)
        may.set()
        assert (first.result(), second.result()) == ("whole", "whole")


def test_who_holds_entries_waits_for_nobody_who_holds_them_too(tmp_path: Path) -> None:
    held = Event()

    def hold_both(first: str, second: str) -> None:
        cache = Cache(tmp_path)
        with cache.holding(first, filled("x")), cache.holding(first, filled("x")):
            held.set()
            with cache.holding(second, filled("x")):
                pass

    with Cache(tmp_path).holding("b", filled("x")):
        thread = Thread(target=hold_both, args=("a", "b"), daemon=True)
        thread.start()
        assert held.wait(60)
        thread.join(60)
    assert not thread.is_alive()


def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    def failing(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("gone")

    cache = Cache(tmp_path)
    with pytest.raises(OSError, match="gone"), cache.holding("a", failing):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]
    with cache.holding("a", filled("x")) as entry:
        assert entry.is_dir()


def test_a_file_that_is_missing_is_named_wherever_it_was_missed(tmp_path: Path) -> None:
    def failing(folder: Path) -> None:
        (folder / "nowhere").read_text()

    with pytest.raises(FileNotFoundError, match="nowhere"), Cache(tmp_path).holding("a", failing):
        pass
    with pytest.raises(FileNotFoundError, match="elsewhere"), Cache(tmp_path).holding("b", filled("x")) as entry:
        (entry / "elsewhere").read_text()


def test_what_others_remove_meanwhile_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, look = Cache(tmp_path, limit=0), os.lstat
    with cache.holding("a", filled("x")) as entry:
        pass

    def removed(path: Path) -> os.stat_result:
        if entry.exists():
            entry.rename(tmp_path.parent / "elsewhere")
        return look(path)

    monkeypatch.setattr(os, "lstat", removed)
    with cache.holding("b", filled("y")) as entry_b:
        assert (entry_b / "file").read_text() == "y"
    assert not entry.exists()


def test_what_was_not_used_longest_gives_way_but_not_what_is_in_use(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=150)
    for place, name in enumerate("abc"):
        with cache.holding(name, filled(100 * name)) as entry:
            pass
        os.utime(entry, (place, place))
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"b", "c"}
    with cache.holding("b", filled("never")) as used:
        os.utime(used, (0, 0))
        with cache.holding("d", filled("d" * 100)):
            pass
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"b", "d"}
    assert not (tmp_path / "c.lock").exists()


def test_a_workspace_goes(tmp_path: Path) -> None:
    with Cache(tmp_path).workspace() as folder:
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_an_entry_has_the_name_that_it_is_called_by(tmp_path: Path) -> None:
    (tmp_path / "first.csv").write_text("x")
    assert called(tmp_path, "first.csv") == tmp_path / "first.csv"
    for _ in range(2):
        assert called(tmp_path, "second.csv").read_text() == "x"


def test_a_node_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "deep" / "cache"))
    assert of_this_node().folder == tmp_path / "deep" / "cache"
    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert of_this_node().folder == tmp_path / f"nightrec-engine-{os.getuid()}"
    assert of_this_node().folder.stat().st_mode & 0o777 == 0o700
