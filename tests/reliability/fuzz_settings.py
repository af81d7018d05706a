"""Settings of every name with values of every kind, and files that are no TOML."""

import json
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel

from flows.settings.checks import check_installed
from flows.settings.mistakes import models_in
from flows.settings.site import NightConfig, load
from recmodels.registry import names
from tasks.ingest.reading.files import check_inputs
from tests.reliability import fuzz_bytes
from tests.reliability.fuzz_case import Case, Ended, called

NAMES = names()


class Settings:
    """A `nightrec.toml`, loaded as each command loads it, and checked as `run` does before it starts."""

    codes = frozenset({0, 2})

    def make(self, chance: Random) -> Case:
        lines = [line for _ in range(chance.randint(1, 4)) for line in _section(chance)]
        data = "\n".join(lines).encode("utf-8", "surrogateescape")
        return Case({"nightrec.toml": fuzz_bytes.damaged(chance, data, 2) if chance.random() < 0.25 else data})

    def prepare(self, folder: Path) -> None:
        """Nothing more than the files is needed."""

    def run(self, case: Case, folder: Path) -> Ended:
        return called(_loaded)


def _loaded() -> None:
    config = load(Path("nightrec.toml"))
    if (tables := config.tables()) is not None:
        check_inputs(tables)
    check_installed(config)


def _section(chance: Random) -> list[str]:
    """A section with some of its keys."""
    place, kind = chance.choice(SECTIONS)
    fields = list(kind.model_fields)
    chosen = [
        chance.choice(fields) if fields and chance.random() < 0.95 else fuzz_bytes.text(chance)
        for _ in range(chance.randint(1, 3))
    ]
    title = ".".join(_key(part, chance) for part in place)
    return [f"[{title}]" if title else "", *(f"{_key(name, chance)} = {_value(chance)}" for name in chosen)]


def _key(name: str, chance: Random) -> str:
    if name == "*":
        name = chance.choice([*NAMES, fuzz_bytes.text(chance)])
    return name if name.isidentifier() and name.isascii() else _text(name)


def _value(chance: Random, depth: int = 0) -> str:
    """A value of TOML."""
    kind = chance.randrange(9 if depth < 2 else 6)
    if kind == 0:
        return chance.choice(
            ["true", "false", "inf", "nan", "1e400", "0x1F", "2026-01-01", "07:32:00", "1979-05-27T07:32:00Z"]
        )
    if kind == 1:
        return str(chance.choice([0, 1, -1, 2, 10, 1000, 2**31, 2**63 - 1, -(2**63), 10**400]))
    if kind == 2:
        return str(chance.choice([0.0, -0.0, 0.5, 1.0, 1e-9, 1e308, -1.5]))
    if kind == 3:
        return json.dumps(
            chance.choice(["none", "auto", "all", "off", "UTC", "0 3 * * *", "shop.models:Margin", "os:system", *NAMES])
        )
    if kind == 4:
        return chance.choice(["'''x'''", "'''a\nb'''"])
    if kind == 5:
        return _text(fuzz_bytes.text(chance))
    if kind == 6:
        return f"[{', '.join(_value(chance, depth + 1) for _ in range(chance.randrange(3)))}]"
    keys = [
        fuzz_bytes.text(chance) if chance.random() < 0.3 else chance.choice(COMMON) for _ in range(chance.randrange(3))
    ]
    return f"{{{', '.join(f'{_text(key)} = {_value(chance, depth + 1)}' for key in keys)}}}"


COMMON = [
    "path",
    "user_id",
    "item_id",
    "timestamp",
    "url",
    "table",
    "factors",
    "days",
    "members",
    "recommender",
    "parameters",
]


def _text(value: str) -> str:
    return json.dumps(value).replace("\\udc80", "\\u0080").replace("\x7f", "\\u007f")


def _sections(kind: type[BaseModel], place: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], type[BaseModel]]]:
    """All tables of the settings, `*` for a name that the site chooses."""
    found = [(place, kind)]
    for name, declared in kind.model_fields.items():
        annotation: Any = declared.annotation
        own = ("*",) if getattr(annotation, "__origin__", None) is dict else ()
        for inner in models_in([annotation]):
            found += _sections(inner, (*place, name, *own))
    return found


SECTIONS = _sections(NightConfig)
