"""What `nightrec validate` prints adds up, and stays within a screen."""

from typing import Any

import pytest

from flows.cli.account import lines
from tasks.store.accounts import FileAccount, TableAccount, balance

_FILE: FileAccount = {
    "file": "log.csv", "format": "csv", "packed": "", "encoding": "utf-8", "lines": 20,
    "rows": 12, "more": 2, "after_cutoff": 3, "rejects": 2, "blank": 1, "inside": 3, "header": 1,
}  # fmt: skip


def record(files: int = 1, columns: int = 1, notes: int = 0) -> dict[str, Any]:
    used: Any = [
        {"column": f"c{n}", "used_as": "numeric", "why": "", "filled": 90, "misfits": n, "example": "—", "files": 1}
        for n in range(columns)
    ]
    ignored: Any = {"column": "s", "used_as": "ignored", "why": "no use", "filled": None, "misfits": 0, "files": 1}
    packed = _FILE | {"packed": "gzip", "encoding": "utf-16"}
    account: TableAccount = {
        "files": [packed] * files,  # type: ignore[list-item]
        "skipped": [{"file": "a.md", "reason": "a document by its name"}],
        "columns": [*used, ignored],
    }
    return {
        "accounts": {"interactions": account},
        "balances": {"interactions": balance(account, 8 * files, 4 * files)},
        "refused_of_files": {"interactions": [4] * files},
        "reasons": {"interactions": {"Expect: user_id is missing": 4 * files}},
        "notes": [f"note {n}" for n in range(notes)],
        "opted_out": 5,
        "interactions": 8 * files,
        "quarantined": 6 * files,
        "quarantine": "store/quarantine",
    }


def test_the_account_of_a_table() -> None:
    assert list(lines(record(columns=2))) == [
        "interactions: 20 lines or rows of 1 file",
        "  log.csv: csv gzip utf-16, 20, 4 refused",
        "  not read: a.md (a document by its name)",
        "  columns: c0 (numeric), c1 (numeric, 1 of 90 values are none, such as '—')",
        "  ignored: s (no use)",
        "  rows: 20 = 8 used + 3 at or after the cutoff + 4 refused + 2 no rows + 1 blank + 3 inside values of several "
        "lines + 1 header or above the first row, less 2 made of lists",
        "  refused because: 4 user_id is missing",
        "  of users who opted out, and removed before training: 5 of the used",
        "",
        "Fit to train on: 8 interactions; quarantined: 6 rows, in store/quarantine.",
    ]


@pytest.mark.parametrize(("files", "columns", "notes"), [(1, 1, 0), (300, 90, 70)])
def test_it_stays_within_a_screen(files: int, columns: int, notes: int) -> None:
    printed = list(lines(record(files, columns, notes)))
    assert len(printed) <= 25 and max(map(len, printed)) < 500
    text = "\n".join(printed)
    assert ("and 295 more files with 5,900" in text, "and 82 more" in text, "and 62 more" in text) == (files > 1,) * 3


def test_tables_that_are_refused_have_an_account_without_a_verdict() -> None:
    whole = record(notes=1)
    refused = {name: whole[name] for name in ("accounts", "balances", "notes")}
    printed = list(lines(refused))
    assert printed[0].startswith("interactions: 20 lines") and printed[-1] == "note: note 0"
