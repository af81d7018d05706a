"""What became of every line, file and column of the inputs, as the summaries of ingest and validation keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from recmodels.errors import NightrecError

NUMBERS_TEXT = "numbers_text"
"""Of raw items and users: the texts of columns that are read as numbers, as JSON, which go to the quarantine."""

OUTCOMES = {
    "rows": "read",
    "after_cutoff": "at or after the cutoff",
    "rejects": "no rows",
    "blank": "blank",
    "inside": "inside values of several lines",
    "header": "header or above the first row",
}
"""What a line of a file can be, of which it is one; with words for each."""


class FileAccount(TypedDict):
    """A file that was read: how it is written, and what became of its lines, which of binary tables are the rows.

    `more` rows were made of lines that are several events. `packed` and `encoding` are empty where they say nothing.
    """

    file: str
    format: str
    packed: str
    encoding: str
    lines: int
    rows: int
    more: int
    after_cutoff: int
    rejects: int
    blank: int
    inside: int
    header: int


class SkippedFile(TypedDict):
    """A file that was not read, and why not."""

    file: str
    reason: str


class ColumnAccount(TypedDict):
    """What a column of a table's files is used as, or that it is ignored, and why; see `ColumnUse` of the reader.

    `files`: how many of the files have it.
    """

    column: str
    used_as: str
    why: str
    filled: int | None
    misfits: int
    example: str | None
    files: int


class TableAccount(TypedDict):
    """The files and the columns of a table. `known`: how many of the files were read by an earlier night alone."""

    files: list[FileAccount]
    known: NotRequired[int]  # older manifests have none
    skipped: list[SkippedFile]
    columns: list[ColumnAccount]


class TableBalance(TypedDict):
    """A table's account in a few numbers, as the record of a night keeps it; `lines` is the sum of the others.

    But for `more`, rows beyond the lines; `misfits`, values that count as missing by column; and the numbers of files,
    of which those `known` were read by an earlier night alone.
    `superseded` rows are not among the refused: good ones but for another of the same id.
    """

    files: int
    skipped: int
    ignored: int
    lines: int
    used: int
    after_cutoff: int
    refused: int
    rejects: int
    blank: int
    inside: int
    header: int
    more: int
    misfits: dict[str, int]
    superseded: NotRequired[int]  # older records have none of these two
    known: NotRequired[int]


def check_file(table: str, account: FileAccount) -> None:
    """Check that each line of a file became exactly one thing.

    Raises:
        NightrecError: it did not.
    """
    found = sum(account[outcome] for outcome in OUTCOMES) - account["more"]  # type: ignore[literal-required]
    if found != account["lines"]:
        raise NightrecError(
            f"{table}: {account['file']} has {account['lines']:,} lines, and the account of them {found:,}: this is a "
            "fault of nightrec, and nothing of the night was used; please report it with the file's kind "
            f"({account['format']})."
        )


def balance(account: TableAccount, rows: int, refused: int, superseded: int = 0) -> TableBalance:
    """A table's account after its validation: of its rows some are good, some refused, and some superseded."""
    files = account["files"]
    return {
        "files": len(files),
        "skipped": len(account["skipped"]),
        "ignored": sum(column["used_as"] == "ignored" for column in account["columns"]),
        "lines": sum(file["lines"] for file in files),
        "used": rows,
        "after_cutoff": sum(file["after_cutoff"] for file in files),
        "refused": refused,
        "rejects": sum(file["rejects"] for file in files),
        "blank": sum(file["blank"] for file in files),
        "inside": sum(file["inside"] for file in files),
        "header": sum(file["header"] for file in files),
        "more": sum(file["more"] for file in files),
        "superseded": superseded,
        "known": account.get("known", 0),
        "misfits": {column["column"]: column["misfits"] for column in account["columns"] if column["misfits"]},
    }


def check_table(table: str, balanced: TableBalance) -> None:
    """Check that the good and the refused rows of a table and what else its lines are add up to the lines.

    Raises:
        NightrecError: they do not.
    """
    parts = ("used", "after_cutoff", "refused", "rejects", "blank", "inside", "header")
    found = sum(balanced[part] for part in parts) - balanced["more"]  # type: ignore[literal-required]
    found += balanced.get("superseded", 0)
    if found != balanced["lines"]:
        raise NightrecError(
            f"{table}: the inputs have {balanced['lines']:,} lines, and the account of them after validation "
            f"{found:,}: this is a fault of nightrec, and nothing of the night was used; please report it."
        )


def unused(balances: Mapping[str, TableBalance]) -> str:
    """The lines that are not used, by table, in a sentence; empty where all are."""
    found = []
    for table, one in balances.items():
        why = [
            f"{one[part]:,} {words}"  # type: ignore[literal-required]
            for part, words in (
                ("after_cutoff", OUTCOMES["after_cutoff"]), ("refused", "refused"), ("rejects", OUTCOMES["rejects"])
            )
            if one[part]  # type: ignore[literal-required]
        ]  # fmt: skip
        if superseded := one.get("superseded"):
            why.append(f"{superseded:,} superseded")
        if why:
            rows = one["lines"] + one["more"] - one["header"] - one["blank"] - one["inside"]
            found.append(f"{table} {rows - one['used']:,} of {rows:,} ({', '.join(why)})")
    return f"Rows that are not used: {'; '.join(found)}." if found else ""


def known(balances: Mapping[str, TableBalance]) -> str:
    """The files that were not read again, by table, in a sentence; empty where there are none."""
    found = [f"{table} {n:,} of {one['files']:,}" for table, one in balances.items() if (n := one.get("known", 0))]
    return f"Files that an earlier night had read: {', '.join(found)}." if found else ""


def misfits(balances: Mapping[str, TableBalance], shown: int = 5) -> str:
    """The columns with values that count as missing, in a sentence; empty where there are none."""
    found = [f"{table}.{column} {n:,}" for table, one in balances.items() for column, n in one["misfits"].items()]
    return f"Values that do not fit their column and count as missing: {cut(found, shown)}." if found else ""


def cut(texts: Sequence[str], shown: int) -> str:
    """The first of some texts, and how many more there are."""
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more:,} more" if more > 0 else "")
