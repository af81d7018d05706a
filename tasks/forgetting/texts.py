"""Texts without a user's id: logs, pages and JSON, whose values are replaced and whose names stay."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.forgetting.person import FORGOTTEN, OF_A_USER, Person
from tasks.forgetting.tables import replaced
from tasks.store.files import Json
from tasks.store.records import changed

TEXTS = (".json", ".jsonl", ".log", ".html", ".txt", ".md", ".csv", ".toml", ".js", ".svg")
STAGE = "manifest.json"


def is_text(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(TEXTS)


def redact(path: Path, person: Person, before: Callable[[Path], None] = lambda path: None) -> bool:
    """Replace a user's id in a text; whether it was there. `before` is called first, if it was."""
    text = read(path)
    new = _new_text(path, text, person)
    if new == text:
        return False
    before(path)
    with replaced(path) as temporary:
        content = new.encode("utf-8", "surrogateescape")
        temporary.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return True


def read(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8", "surrogateescape")


def _new_text(path: Path, text: str, person: Person) -> str:
    if person.user_id not in text and not any(form in text for form in person.forms):
        return text
    kind = path.name.removesuffix(".gz")
    if kind.endswith(".jsonl"):
        return "".join(_line(line, person) for line in text.splitlines(keepends=True))
    if not kind.endswith(".json"):
        return person.without(text)
    try:
        content = json.loads(text)
    except ValueError:
        return person.without(text)
    if path.name == STAGE and isinstance(content, dict):
        said = {name: redacted(content[name], person) for name in ("summary",) if name in content}
        new: Any = content | said  # the rest is compared when the night is run again
        new = content if new == content else changed(content, new)
    else:
        new = redacted(content, person)
    return text if new == content else json.dumps(new, indent=2, ensure_ascii=False) + "\n"


def _line(line: str, person: Person) -> str:
    try:
        content = json.loads(line)
    except ValueError:
        return person.without(line)
    new = redacted(content, person)
    return line if new == content else json.dumps(new) + "\n"


def redacted(value: Any, person: Person) -> Any:
    """What JSON holds, with the id replaced in all texts and where ids of users stand, but not in names of things."""
    if isinstance(value, dict):
        return {name: _redacted_entry(name, inner, person) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, person) for inner in value]
    if isinstance(value, str):
        return FORGOTTEN if person.is_value(value) else person.without(value)
    return value


def _redacted_entry(name: str, value: Any, person: Person) -> Any:
    """A value by its name: an id of a user is theirs or another's as a whole, not in part."""
    if name in OF_A_USER and isinstance(value, str | int):
        return FORGOTTEN if person.is_value(value) else value
    return redacted(value, person)


def without_lists(report: Json, person: Person) -> Json:
    """The figures of a report without the lists of a user that it shows as an example."""
    shown = [one for one in report.get("examples", []) if not person.is_value(one.get("user_id"))]
    found: Json = redacted(report | {"examples": shown}, person)
    return found
