import errno
import os
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from recmodels.errors import DataRefused
from tasks.errors import DiskRefused
from tasks.store import room
from tasks.store.disk import in_words, naming
from tasks.store.files import write_json
from tasks.store.paths import Store
from tasks.store.room import Room, check_room, size_text
from tasks.store.settings import DiskSettings

DAY = date(2024, 3, 1)


def disk(free: int, files: int = 10**6) -> Room:
    return Room(free, 10 * 10**9, files, 10**6)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one night that took a million bytes, its export included."""
    found = Store(tmp_path)
    night = found.night(date(2024, 2, 29))
    write_json(night.summary, {"status": "published", "export_id": "2024-02-29"})
    for folder, size in ((night.folder, 600_000 - night.summary.stat().st_size), (found.export("2024-02-29"), 400_000)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(bytes(size))
    return found


def test_a_full_disk_is_told_with_path_room_and_what_is_missing(store: Store) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with patch.object(Room, "of", return_value=disk(200_000)), pytest.raises(DiskRefused) as told:  # noqa: SIM117
        with in_words(store), naming(store.root / "nights/2024-03-01/valid"):
            raise error
    assert str(told.value) == (
        f"{store.root}/nights/2024-03-01/valid cannot be written: the disk is full (200 kB free of 10.0 GB). Free "
        "about 1.0 MB more, and run it again: it goes on where it was, and what is published stays."
    )


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EROFS, "may only be read: mount it for writing"),
        (errno.EACCES, "may not do that: give it the right to"),
        (errno.ESTALE, "does not answer (Stale file handle): see that it is mounted"),
        (errno.ENOENT, "see that its disk is mounted"),
        (errno.EDQUOT, "the quota of"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EXDEV, "see that the disk and the folder are in order"),
    ],
)
def test_what_a_file_system_refuses_is_one_sentence_with_the_path_and_what_to_do(code: int, says: str) -> None:
    with pytest.raises(DiskRefused, match="/xxx") as told, in_words():
        raise OSError(code, os.strerror(code), "/data/store/" + "x" * 100 + "/" + "x" * 100)
    text = str(told.value)
    assert says in text and text.endswith("run it again: it goes on where it was, and what is published stays.")
    assert len(text) <= 400 and "\n" not in text


def test_an_error_of_a_library_that_means_the_disk_is_one_of_the_disk() -> None:
    with pytest.raises(OSError, match="No space left") as told, naming(Path("/data/stage")):
        raise RuntimeError('IO Error: Could not write file "/data/stage/.tmp-x": No space left on device')
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, "/data/stage/.tmp-x")


def test_memory_that_ran_out_is_told_even_where_it_was_taken_for_a_fault_of_the_data() -> None:
    for message in ("Out of Memory Error: Allocation failure\n\nPossible solutions:", "std::bad_alloc"):
        with (
            pytest.raises(DiskRefused, match=r"^The memory ran out: give nightrec more"),
            in_words(),
            naming(Path("x")),
        ):
            try:
                raise RuntimeError(message)
            except RuntimeError:
                raise DataRefused("log.csv cannot be read; it may be damaged.") from None


def test_data_that_are_refused_for_another_reason_stay_refused() -> None:
    with pytest.raises(DataRefused, match=r"damaged"), in_words(), naming(Path("x")):
        try:
            raise OSError(errno.EIO, os.strerror(errno.EIO), "log.csv")
        except OSError:
            raise DataRefused("log.csv cannot be read; it may be damaged.") from None


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ValueError, match=r"^odd$"), in_words(), naming(Path("x")):
        raise ValueError("odd")
    with pytest.raises(ConnectionResetError), in_words():
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_a_night_that_its_disk_has_no_room_for_is_refused_at_its_start(store: Store) -> None:
    tonight = store.night(DAY)
    with patch.object(Room, "of", return_value=disk(1_200_000)):
        check_room(tonight, DiskSettings(), [])
    with patch.object(Room, "of", return_value=disk(500_000)):
        with pytest.raises(DiskRefused) as told:
            check_room(tonight, DiskSettings(), [])
        check_room(tonight, DiskSettings(check=False), [])
    assert str(told.value) == (
        f"The disk of the store {store.root} has 500 kB free, and this night needs about 1.2 MB (the last ones took up "
        "to 1.0 MB): free 700 kB, keep fewer nights (retention.nights), or set disk.check = false to run all the same. "
        "What is published stays."
    )


def test_what_is_spilled_while_a_night_prepares_counts_where_it_is_more_than_what_is_left_at_the_end(
    store: Store,
) -> None:
    tonight = store.night(DAY)
    with patch.object(Room, "of", return_value=disk(1_300_000)):
        check_room(tonight, DiskSettings(), [], lambda night: 1_000_000)
        with pytest.raises(DiskRefused, match=r"needs about 2\.4 MB"):
            check_room(tonight, DiskSettings(), [], lambda night: 2_000_000)
        found = Room.of(store.root)
        assert found is not None and found.missing(store, lambda night: 2_000_000) == 1_100_000


def test_what_a_night_has_done_already_is_room_that_it_does_not_need(store: Store) -> None:
    tonight = store.night(DAY)
    (tonight.raw).mkdir(parents=True)
    (tonight.raw / "data").write_bytes(bytes(800_000))
    with patch.object(Room, "of", return_value=disk(500_000)):
        check_room(tonight, DiskSettings(), [])
        with pytest.raises(DiskRefused, match=r"with 1 GB to be kept free"):
            check_room(tonight, DiskSettings(keep_free_gb=1), [])


def test_a_first_night_is_judged_by_its_inputs_and_files_count_too(tmp_path: Path) -> None:
    tonight = Store(tmp_path).night(DAY)
    with patch.object(Room, "of", return_value=disk(1_000_000)):
        check_room(tonight, DiskSettings(), [100_000])
        with pytest.raises(DiskRefused, match=r"needs about 1\.6 MB \(by its inputs\): free 600 kB"):
            check_room(tonight, DiskSettings(), [200_000])
    with patch.object(Room, "of", return_value=disk(1_000_000, files=3)), pytest.raises(DiskRefused, match="inodes"):
        check_room(tonight, DiskSettings(), [1])


def test_room_is_that_of_the_next_folder_that_is_there(tmp_path: Path) -> None:
    here, below = Room.of(tmp_path), Room.of(tmp_path / "not" / "yet")
    assert here is not None and below is not None and here.total == below.total > 0
    assert [size_text(size) for size in (1, 2_500_000, 3 * 10**12)] == ["0 kB", "2.5 MB", "3.0 TB"]
    assert room.size_of(tmp_path) == 0


@pytest.mark.parametrize("error", [KeyError("popularity"), FileNotFoundError("nights/x/items.parquet")])
def test_whatever_goes_wrong_once_the_store_has_gone_away_is_told_as_that(store: Store, error: Exception) -> None:
    with (
        pytest.raises(DiskRefused, match="has gone away: see that its disk is mounted, and run it again"),
        in_words(store),
    ):
        raise error
    store.lock.touch()
    with pytest.raises(type(error)), in_words(store):
        raise error
