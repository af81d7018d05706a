"""The commented ``nightrec.toml`` that ``nightrec init`` writes, made from the settings themselves."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.settings.site import NightConfig, default_models

HEAD = """\
# nightrec: the settings of one site. A line that begins with # shows a default; remove the # to change it.
# Relative paths count from the folder of this file.
"""

INPUTS = """\
# Your tables: CSV (also gzipped), JSON lines or Parquet; a file, a folder or a glob.
# [inputs.interactions]
# path = "data/interactions"
# columns = { user_id = "customer", item_id = "sku", timestamp = "time" }     # our name = yours
# [inputs.items]
# path = "data/items.parquet"
# [inputs.users]
# path = "data/users.parquet"
"""


def template() -> str:
    """A configuration in which everything is commented out, so that it means the defaults."""
    plain, sections = [], []
    for name, field in NightConfig.model_fields.items():
        if name == "inputs":
            sections.append(INPUTS)
        elif name == "models":
            sections.append(models())
        elif isinstance(field.default, BaseModel):
            sections.append(section(name, type(field.default)))
        else:
            plain.append(setting(name, field))
    return "\n".join([HEAD, *plain, "", *sections])


def section(name: str, kind: type[BaseModel]) -> str:
    about = (kind.__doc__ or "").strip().splitlines()[0]
    return "\n".join([f"# {about}", f"# [{name}]", *(setting(*field) for field in kind.model_fields.items()), ""])


def setting(name: str, field: FieldInfo) -> str:
    """``# name = default   # what it is``."""
    line = f"# {name} = {toml(field.default)}"
    return f"{line:<36} # {field.description}" if field.description else line


def models() -> str:
    lines = ["# Tonight's candidates; a table [models.NAME] replaces this whole list by your own."]
    for name, candidate in default_models().items():
        lines.append(f"# [models.{name}]")
        changed = candidate.model_dump(exclude_defaults=True)
        lines += [f"# {key} = {toml(value)}" for key, value in changed.items()]
    return "\n".join([*lines, ""])


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }" if value else "{}"
    return '"none"' if value is None else json.dumps(value, default=str)
