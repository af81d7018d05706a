"""What is wrong with settings, in a sentence."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ValidationError

from recmodels.messages import short
from recmodels.published.addresses import shown

LONGEST = 60  # characters of a value that is wrong
NAMES_LENGTH = 200  # characters of the names that there are


def sentence(error: ValidationError, settings: type[BaseModel]) -> str:
    """The first mistake in such `settings`, with its key and what to do.

    A key that does not exist explains one that is missing.
    """
    mistake = min(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    place = [str(part) for part in mistake["loc"]]
    if mistake["type"] == "string_type" and place[-1] == "str":  # of several types that a value may have, not a key
        place.pop()
    key = ".".join(short(part) for part in place)
    if mistake["type"] == "extra_forbidden":
        known = known_keys(settings, place[:-1])
        near = get_close_matches(place[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {_some(known)}."
        return f"unknown key {key}; {hint}"
    if mistake["type"] == "missing":
        return f"{key} is missing; give it a value."
    return f"{key} = {brief(mistake['input'])}: {reason(mistake['msg'])}."


def _some(names: Sequence[str]) -> str:
    """As many names as a sentence holds, and how many more there are."""
    ends = list(accumulate(len(name) + 2 for name in names))
    told = sum(end <= NAMES_LENGTH for end in ends)
    more = f" and {len(names) - told} more" if told < len(names) else ""
    return ", ".join(names[:told]) + more


def brief(value: object) -> str:
    """A value that was given, as far as it helps, and without what may be a secret."""
    if isinstance(value, dict | list):
        return "this table" if isinstance(value, dict) else "this list"
    text = repr(re.split("[?#]", shown(value))[0] if isinstance(value, str) and "://" in value else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def reason(message: str) -> str:
    """What a check says, within a sentence."""
    said = message.removeprefix("Value error, ")
    return said[0].lower() + said[1:]


def known_keys(settings: type[BaseModel], place: list[str]) -> list[str]:
    """The keys of the section at `place`."""
    section: Any = settings
    for part in place:
        kinds = [section.model_fields[part].annotation] if part in getattr(section, "model_fields", {}) else []
        section = next((kind for kind in models_in(kinds)), section)
    return list(section.model_fields)


def models_in(kinds: list[Any]) -> list[type[BaseModel]]:
    """The pydantic models within annotations such as `Inputs | None` or `dict[str, Candidate]`."""
    found = []
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        found += models_in(list(getattr(kind, "__args__", ())))
    return found
