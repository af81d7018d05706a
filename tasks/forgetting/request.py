"""A forgetting that is not finished: a file that says how far it is, by which the same command goes on.

It has a salted digest of the id, not the id, and is removed when all is done. The files that are about to be changed
are noted in it first, so that their manifests can be brought up to date after a kill in between.
"""

import hashlib
import hmac
import json
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tasks.forgetting.person import Person
from tasks.store.files import now_text, sync, write_json
from tasks.store.paths import Store

PREFIX = ".forgetting-"


@dataclass
class Request:
    """A forgetting at work."""

    root: Path
    reference: str
    at: str
    resumed: bool = False
    touched: set[str] = field(default_factory=set)
    """The files that it has changed or is about to change, within the store."""

    @property
    def file(self) -> Path:
        return self.root / f"{PREFIX}{self.reference}.jsonl"

    def touch(self, path: Path) -> None:
        """Note that a file is about to change."""
        name = path.relative_to(self.root).as_posix()
        if name in self.touched:
            return
        self.touched.add(name)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def was_touched(self, path: Path) -> bool:
        return path.relative_to(self.root).as_posix() in self.touched

    def done(self) -> None:
        self.file.unlink(missing_ok=True)
        sync(self.root)


def begin(store: Store, person: Person) -> Request:
    """A new request, or the one for the same user that is not finished."""
    for path in sorted(store.root.glob(f"{PREFIX}*.jsonl")):
        lines = _lines(path)
        about = lines[0] if lines and isinstance(lines[0], dict) else None
        if about is None:  # cut short before anything was changed
            path.unlink()
        elif hmac.compare_digest(about["digest"], _digest(person, about["salt"])):
            touched = {line for line in lines[1:] if isinstance(line, str)}
            return Request(store.root, about["reference"], about["at"], resumed=True, touched=touched)
    salt = secrets.token_hex(16)
    request = Request(store.root, uuid.uuid4().hex, now_text())
    about = {"reference": request.reference, "at": request.at, "salt": salt, "digest": _digest(person, salt)}
    aside = request.file.with_suffix(".json")
    write_json(aside, about)
    aside.write_text(json.dumps(about) + "\n", encoding="utf-8")
    aside.replace(request.file)
    sync(store.root)
    return request


def _lines(path: Path) -> list[object]:
    found: list[object] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _digest(person: Person, salt: str) -> str:
    """Slow to compute on purpose: ids can be guessed."""
    secret = person.user_id.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2**12, r=8, p=1).hex()
