"""A user leaves Prefect's database: what logs, artifacts and states of runs say of them is replaced.

Messages of a night may quote an id that was refused. The file of a server on this machine is changed itself, as its API
changes no logs; the id does not stay in its free pages.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place
from tasks.forgetting.tables import replaced

WAIT = 30.0  # seconds for a server that is writing


def forget_in_prefect(home: Path, database: Path | None, person: Person) -> Place:
    """Replace the id in a database and in the results beside it.

    Args:
        home: Prefect's folder, with its stored results.
        database: the file of SQLite; None where the server's database is another.
        person: who is forgotten.
    """
    place = Place("Prefect")
    if database is not None and database.is_file():
        try:
            with closing(sqlite3.connect(database, timeout=WAIT, isolation_level=None)) as connection:
                place.texts += _redact(connection, person)
            place.note = str(database)
        except sqlite3.Error as error:
            place.failures.append(f"{database} cannot be changed ({error}): end what uses it, and do this again")
        place.searched += 1
    for path in sorted((home / "storage").glob("*")) if home.is_dir() else ():
        if path.is_file():
            place.searched += 1
            _result(path, person, place)
    return place


def _result(path: Path, person: Person, place: Place) -> None:
    """A stored result is JSON; one that is packed cannot be changed, as nothing of it is to be executed."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
        if person.in_text(text):
            with replaced(path) as temporary:
                temporary.write_text(person.without(text), encoding="utf-8")
            place.texts += 1
        elif person.in_text(_packed(text)):
            place.failures.append(f"{path} is a packed result that names the user: delete it")
    except OSError as error:
        place.failures.append(f"{path} cannot be changed ({error.strerror})")


def _packed(text: str) -> str:
    """What a result holds in base64, as text."""
    try:
        return base64.b64decode(json.loads(text)["result"]).decode("utf-8", "replace")
    except (ValueError, KeyError, TypeError):
        return ""


def _redact(connection: sqlite3.Connection, person: Person) -> int:
    """Replace the id in all texts of a database; how many had it."""
    connection.create_function("has_person", 1, lambda text: isinstance(text, str) and person.in_text(text))
    connection.create_function(
        "without_person", 1, lambda text: person.without(text) if isinstance(text, str) else text
    )
    connection.execute("PRAGMA secure_delete = ON")
    changed = 0
    for table, column in _columns(connection):
        quick = " OR ".join([f"instr(t.{column}, ?)"] * len(person.forms))
        where = f"typeof(t.{column}) = 'text' AND ({quick}) AND has_person(t.{column})"
        query = f"UPDATE {table} AS t SET {column} = without_person({column}) WHERE {where}"
        changed += connection.execute(query, person.forms).rowcount
    if changed:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changed


def _columns(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """All columns that may hold texts, quoted; keys and what is computed are not among them."""
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _, name, kind, _, _, key, hidden in connection.execute(f'PRAGMA table_xinfo("{table}")').fetchall():
            texts = kind.upper().startswith(("VARCHAR", "TEXT", "JSON", "CLOB")) or not kind
            if texts and not key and not hidden and not table.startswith("sqlite_"):
                yield f'"{table}"', f'"{name}"'
