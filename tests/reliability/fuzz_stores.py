"""Stores of which files are damaged, gone or something else, looked at and changed by every command that does so."""

import atexit
import json
import shutil
import tempfile
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.reliability import fuzz_bytes
from tests.reliability.fuzz_case import Case, Ended, command_line
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

EXPORT = str(RUN_DATE)
COMMANDS = [
    ("recs", "1"), ("recs", "1", "--json"), ("recs", "1", "--date", EXPORT), ("verify",), ("verify", "--date", EXPORT),
    ("status",), ("report",), ("report", "--date", "2020-01-01"), ("diff", EXPORT, f"{EXPORT}.2"), ("rollback",),
    ("rollback", "--to", f"{EXPORT}.2"), ("pin", EXPORT), ("unpin", EXPORT), ("forget", "3"), ("forget", "nobody"),
    ("mirror", "--to", "COPY"),
]  # fmt: skip
VALUES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"1",
    b'""',
    b"[{}]",
    b"\xff\xfe",
    b"\0" * 40,
    b"{",
    b'{"a": 1e999}',
    b"\n\n",
    b"{}\n{}",
]


class Stores:
    """A small store with damage to one file or two, and a command that reads or changes it."""

    codes = frozenset({0, 1, 2, 4})

    def make(self, chance: Random) -> Case:
        files: dict[str, bytes] = {}
        gone, folders = [], []
        for _ in range(chance.choice((1, 1, 2))):
            name = chance.choice(
                sorted(path for path in contents() if path.startswith(chance.choice(PLACES))) or ["nothing"]
            )
            kind = chance.randrange(8)
            if kind == 0:
                gone.append(name)
            elif kind == 1:
                folders.append(name)
            else:
                files[f"store/{name}"] = _damaged(chance, contents().get(name, b""))
        command = [*chance.choice(COMMANDS), "--store", "store"]
        return Case(files, tuple(command), {"gone": tuple(gone), "folders": tuple(folders)})

    def prepare(self, folder: Path) -> None:
        """The store as it was before."""
        shutil.copytree(whole(), folder / "store", symlinks=True)

    def run(self, case: Case, folder: Path) -> Ended:
        for name in (*_names(case, "gone"), *_names(case, "folders")):
            (folder / "store" / name).unlink(missing_ok=True)
        for name in _names(case, "folders"):
            (folder / "store" / name).mkdir(parents=True, exist_ok=True)
        return command_line(tuple((folder / "copy").as_uri() if word == "COPY" else word for word in case.arguments))


PLACES = ["exports/latest", "exports/manifests", "exports/2", "nights", "published", "history", "", "."]


def _names(case: Case, kind: str) -> tuple[str, ...]:
    names = case.settings.get(kind, ())
    assert isinstance(names, tuple)
    return names


def _damaged(chance: Random, data: bytes) -> bytes:
    """What a file may hold instead: something else, the same with changes, or JSON with an odd value."""
    kind = chance.randrange(3)
    if kind == 0:
        return chance.choice(VALUES)
    if kind == 1:
        try:
            return json.dumps(_changed(chance, json.loads(data))).encode()
        except ValueError:
            pass
    return fuzz_bytes.damaged(chance, data)


def _changed(chance: Random, value: Any) -> Any:
    """JSON of which one value, at any depth, is another or gone."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        rest = {name: inner for name, inner in value.items() if name != key}
        return rest if chance.random() < 0.2 else rest | {key: _changed(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], _changed(chance, value[at]), *value[at + 1 :]]
    return chance.choice(
        [None, True, -1, 0, 1.5, 10**30, "", [], {}, "x\ny", "\x1b[2J", fuzz_bytes.text(chance).replace("\udc80", "")]
    )


@cache
def contents() -> dict[str, bytes]:
    """The files of the whole store."""
    root = whole()
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@cache
def whole() -> Path:
    """A store with a night of two exports and its record, and one that failed before it."""
    root = Path(tempfile.mkdtemp(prefix="nightrec-fuzz-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    night = prepare_night(root)
    publish(night)
    publish(night, k=2, fresh=True)
    figures = {"ndcg": {"value": 0.5, "low": 0.4, "high": 0.6}, "recall": {"value": 0.5}, "precision": {"value": 0.1}}
    gate = {"winner": "item_knn", "reason": "best", "verdict": "first"}
    record = {"status": "published", "winner": "item_knn", "reason": "best", "k": 3, "models": {"item_knn": figures}}
    record |= {"gate": gate, "export_id": f"{RUN_DATE}.2", "users": 5, "rows": 10, "seconds": 1.5}
    record |= {"stages": [{"stage": "export", "event": "done", "message": "10 rows", "seconds": 1.0}]}
    night.summary.write_text(json.dumps({"run_date": str(RUN_DATE)} | record))
    before = night.store.night(date(2026, 3, 30))
    before.folder.mkdir(parents=True)
    before.summary.write_text(json.dumps({"status": "failed", "reason": "nothing to read"}))
    return root
