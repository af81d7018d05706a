"""Settings that have a new name: the old one is still understood for one release, with a note in the log."""

import logging
from copy import deepcopy
from typing import Any

from recmodels.errors import ConfigError

RENAMED: dict[str, str] = {
    "keep": "retention",
    "gate.champion": "gate.pinned_model",
    "evaluation.windows": "evaluation.backtests",
    "features.embedder": "features.encoder.model",
}
"""Old dotted key of `nightrec.toml` -> new dotted key, applied in this order; `models.*` stands for every model."""

DROPPED: dict[str, str] = {
    "features.embedder_share": "vectors and terms count half each in the similarity of items",
}
"""Old dotted key of `nightrec.toml` that nothing takes the place of -> what holds now."""

_noted: set[tuple[str, str]] = set()


def with_new_names(settings: dict[str, Any], where: str, renamed: dict[str, str] = RENAMED) -> dict[str, Any]:
    """A copy of the settings in which every old key is replaced by its new one.

    Args:
        settings: nested tables, as TOML has them.
        where: what they were read from, for the note and the error.
        renamed: old dotted key -> new dotted key.

    Raises:
        ConfigError: a setting is given under both names.
    """
    settings = deepcopy(settings)
    for old, now in DROPPED.items() if renamed is RENAMED else ():
        *above, key = old.split(".")
        if (table := _table(settings, above)) is not None and table.pop(key, None) is not None:
            logging.getLogger("nightrec").warning("%s: %s is not read any more: %s", where, old, now)
    for old, new in renamed.items():
        models = settings.get("models") if "*" in old else {"": {}}
        for name in list(models) if isinstance(models, dict) else []:
            _move(settings, old.replace("*", name), new.replace("*", name), where)
    return settings


def _move(settings: dict[str, Any], old: str, new: str, where: str) -> None:
    """Move the value of one key, if it is given."""
    *above, key = old.split(".")
    given = _table(settings, above)
    if given is None or key not in given:
        return
    *above, new_key = new.split(".")
    target = _table(settings, above, create=True)
    if target is None:  # one of the tables above is none, which validation explains
        return
    if new_key in target:
        raise ConfigError(f"{where}: {old} is the old name of {new}; give one of the two.")
    target[new_key] = given.pop(key)
    if (where, old) not in _noted:
        _noted.add((where, old))
        note = "%s: %s is now %s; the old name goes with the next release"
        logging.getLogger("nightrec").warning(note, where, old, new)


def _table(settings: dict[str, Any], names: list[str], *, create: bool = False) -> dict[str, Any] | None:
    """The nested table at a path of names; None where there is none."""
    table: Any = settings
    for name in names:
        table = table.setdefault(name, {}) if create else table.get(name)
        if not isinstance(table, dict):
            return None
    result: dict[str, Any] = table
    return result
