"""Of several rows of a user or an item the first is kept, and what any of them forbids is forbidden."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.prepare.events import read_log
from tasks.prepare.settings import PrepareSettings
from tasks.validate import rows as row_checks
from tests.tasks.raw import HEADER, ingest, write
from tests.tasks.validated import LENIENT, Night, interactions

ANY = LENIENT.model_copy(update={"max_staleness_days": None, "min_known_items_share": 0.0})


@pytest.mark.parametrize("partition", [1, 2, 100])
@pytest.mark.parametrize(
    ("table", "flag", "says", "kept"),
    [
        ("users", "opted_out", [(1, False), (1, True)], [True]),
        ("users", "opted_out", [(1, True), (1, False)], [True]),
        ("users", "opted_out", [(1, None), (2, False), (1, None), (1, True), (1, False)], [True, False]),
        ("users", "opted_out", [(1, None), (1, False), (None, True), (2, None)], [None, None]),
        ("items", "available", [(1, True), (1, False), (1, True), (2, True)], [False, True]),
        ("items", "available", [(1, None), (1, True), (2, None), (2, False)], [None, False]),
    ],
)
def test_what_any_row_forbids_is_forbidden(
    night: Night,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    flag: str,
    says: list[Any],
    kept: list[Any],
    partition: int,
) -> None:
    ids, flags = zip(*says, strict=True)
    night.raw("interactions", {name: column[:1] for name, column in interactions().items()})
    night.raw(table, {f"{table[:-1]}_id": pa.array(ids), flag: pa.array(flags), "nth": pa.array(range(len(ids)))})
    monkeypatch.setattr(row_checks, "PARTITION", partition)
    night.validate(ANY)
    good, bad = night.read(f"valid/{table}"), night.read(f"quarantine/{table}")
    assert good[flag].to_pylist() == kept
    assert good["nth"].to_pylist() == sorted({key: nth for nth, key in reversed([*enumerate(ids)]) if key}.values())
    assert [flags[nth] for nth in bad["nth"].to_pylist()] == bad[flag].to_pylist()  # refused rows stay as they came


def users_left(folder: Path, users: TableInput, events: str) -> set[object]:
    """The users of a night's log, of raw tables that are read and validated."""
    summary, raw = ingest(folder, Inputs(interactions=write(folder / "log.csv", HEADER + events), users=users))
    night = Night(folder)
    for path in raw.glob("*.parquet"):
        path.rename(folder / "raw" / path.name)
    night.validate(ANY)
    try:
        return set(read_log(folder / "valid", PrepareSettings()).user_ids.to_pylist())
    except DataRefused as error:
        assert "has opted out" in str(error), summary
        return set()


def test_the_last_row_of_a_user_may_opt_out(tmp_path: Path) -> None:
    users = write(tmp_path / "users.csv", "user_id,opted_out\nu1,false\nu1,true\n")
    assert users_left(tmp_path, users, "u1,1,2023-01-01\nu2,1,2023-01-01\n") == {"u2"}


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3", "4", "04", "u1 ", " u2", "U3", "", "5"]),
        st.sampled_from(["true", "false", "", "yes", "0"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=8)
@given(files=st.lists(_ROWS, min_size=1, max_size=3), ids=st.sampled_from([["u1", "u2", "u3", "x"], ["4", "5", "6"]]))
def test_no_user_of_whom_any_row_opts_out_is_in_the_log(files: list[list[tuple[str, str]]], ids: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users").mkdir()
        for number, rows in enumerate(files):
            lines = "".join(f"{user},{says},x\n" for user, says in rows)
            (folder / "users" / f"{number}.csv").write_text(f"user_id,opted_out,more\n{lines}")
        known = {user for rows in files for user, _ in rows if user}
        gone = {user.strip() for rows in files for user, says in rows if says in ("true", "yes") and user}
        events = "".join(f"{user},1,2023-01-01T00:00:00Z\n" for user in ids)
        if not known:
            return
        left = users_left(folder, TableInput(path=str(folder / "users")), events)
        assert {str(user) for user in left} == {user for user in known | set(ids) if user.strip() not in gone}
