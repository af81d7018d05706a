"""What is learned from past nights is found by night, and what is damaged or somebody else's is left out."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.feedback import PROPOSALS, SHOWN, learned, learned_before
from tasks.store.leftovers import foreign, sweep
from tasks.store.paths import Store

DAYS = [date(2026, 3, day) for day in range(1, 6)]


def written(store: Store, day: date, name: str = SHOWN) -> Path:
    with learned(store, day, name) as path:
        pq.write_table(pa.table({"user_id": [str(day)]}), path)
    return store.feedback(day) / name


def test_the_files_of_the_nights_before_are_found_but_damaged_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert learned_before(store, DAYS[3], SHOWN, days=90) == {}
    paths = {day: written(store, day) for day in DAYS}
    written(store, date(2026, 2, 1), PROPOSALS)
    paths[DAYS[1]].write_bytes(paths[DAYS[1]].read_bytes()[:-10])
    assert learned_before(store, DAYS[3], SHOWN, days=90) == {day: paths[day] for day in (DAYS[0], DAYS[2])}
    assert learned_before(store, DAYS[3], SHOWN, days=2) == {DAYS[2]: paths[DAYS[2]]}


def test_half_a_file_is_swept_and_what_is_somebodys_is_named_and_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = written(store, DAYS[0])
    half = kept.with_name(f".tmp-{PROPOSALS}")
    half.write_bytes(b"PAR1")
    notes = [kept.with_name("notes.txt"), tmp_path / "feedback" / "README"]
    for path in notes:
        path.touch()
    sweep(store)
    assert not half.exists() and kept.exists() and foreign(store) == sorted(notes)
