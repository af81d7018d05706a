"""What `nightrec validate` prints: what became of the files, the columns and the rows of each table, adding up."""

from collections.abc import Iterator, Mapping
from typing import Any

from recmodels.messages import counted
from tasks.store.accounts import ColumnAccount, FileAccount, TableAccount, TableBalance, cut

FILES, COLUMNS, REASONS, NOTES = 5, 8, 3, 8
"""How many of each are shown of a table, and notes of all tables."""


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The account of a validation in lines, the verdict last, unless the tables are refused."""
    for table, account in record["accounts"].items():
        balance: TableBalance = record["balances"][table]
        lines_or_rows = counted(balance["lines"], "line or row", "lines or rows")
        known = f", {n:,} of them known" if (n := balance.get("known")) else ""
        yield f"{table}: {lines_or_rows} of {counted(balance['files'], 'file')}{known}"
        yield from _files(account, record.get("refused_of_files", {}).get(table) or [0] * len(account["files"]))
        yield from _columns(account)
        yield from _rows(balance, record.get("reasons", {}).get(table, {}))
        if table == "interactions" and record.get("opted_out"):
            yield f"  of users who opted out, and removed before training: {record['opted_out']:,} of the used"
        yield ""
    notes = record["notes"]
    yield from (f"note: {note}" for note in notes[:NOTES])
    if len(notes) > NOTES:
        yield f"note: and {len(notes) - NOTES:,} more (--json has them all)"
    if "interactions" not in record:
        return
    yield (
        f"Fit to train on: {counted(record['interactions'], 'interaction')}; quarantined: "
        f"{counted(record['quarantined'], 'row')}, in {record['quarantine']}."
    )


def _files(account: TableAccount, refused: list[int]) -> Iterator[str]:
    for file, bad in list(zip(account["files"], refused, strict=True))[:FILES]:
        yield f"  {file['file']}: {_form(file)}, {file['lines']:,}{f', {bad:,} refused' if bad else ''}"
    if (more := len(account["files"]) - FILES) > 0:
        yield f"  and {counted(more, 'more file')} with {sum(file['lines'] for file in account['files'][FILES:]):,}"
    if skipped := account["skipped"]:
        shown = [f"{file['file']} ({file['reason']})" for file in skipped]
        yield f"  not read: {cut(shown, FILES)}"


def _form(file: FileAccount) -> str:
    """How a file is written; the usual encoding goes without saying."""
    encoding = "" if file["encoding"] in ("", "utf-8") else file["encoding"]
    return " ".join(part for part in (file["format"], file["packed"], encoding) if part)


def _columns(account: TableAccount) -> Iterator[str]:
    columns = account["columns"]
    used = [_use(column) for column in columns if column["used_as"] != "ignored"]
    ignored = [f"{column['column']} ({column['why']})" for column in columns if column["used_as"] == "ignored"]
    if used:
        yield f"  columns: {cut(used, COLUMNS)}"
    if ignored:
        yield f"  ignored: {cut(ignored, COLUMNS)}"


def _use(column: ColumnAccount) -> str:
    """A column and its use, with the values that are none."""
    name, use = column["column"], column["used_as"]
    misfits = ""
    if column["misfits"]:
        misfits = f", {column['misfits']:,} of {column['filled']:,} values are none, such as '{column['example']}'"
    return name if name == use else f"{name} ({use}{misfits})"


def _rows(balance: TableBalance, reasons: Mapping[str, int]) -> Iterator[str]:
    """The rows by outcome, which add up to the lines."""
    words = {
        "used": "used",
        "after_cutoff": "at or after the cutoff",
        "refused": "refused",
        "superseded": "superseded by another row of the same id",
        "rejects": "no rows",
        "blank": "blank",
        "inside": "inside values of several lines",
        "header": "header or above the first row",
    }
    counts: Mapping[str, Any] = balance
    parts = [f"{counts[part]:,} {text}" for part, text in words.items() if counts.get(part) or part == "used"]
    more = f", less {balance['more']:,} made of lists" if balance["more"] else ""
    yield f"  rows: {balance['lines']:,} = {' + '.join(parts)}{more}"
    why = [
        f"{rows:,} {reason.partition(': ')[2] or reason}"
        for reason, rows in sorted(reasons.items(), key=lambda each: -each[1])
    ]
    if why:
        yield f"  refused because: {cut(why, REASONS)}"
