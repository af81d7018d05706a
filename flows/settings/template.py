"""The commented `nightrec.toml` that `nightrec init` writes, made from the settings themselves."""

import json
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.settings.site import NightConfig, default_models
from recmodels.parameters import parameters_of
from recmodels.registry import kind_of
from tasks.ingest.reading.inputs import TableInput
from tasks.train.settings import Candidate

HEAD = """\
# nightrec: the settings of one site. A line that begins with # shows a default; remove the # to change it.
# Relative paths count from the folder of this file.
"""

INPUTS = """\
# Your tables: files (CSV, JSON lines, Parquet and others, also packed), a folder or a glob; a Delta Lake or an Iceberg
# table; files on an object store ("s3://bucket/log/"); or a table or a query of a database, with the password in the
# variable of its driver (PGPASSWORD, MYSQL_PWD …): docs/data.md says more.
{keys}
# [inputs.interactions]
# path = "data/interactions"
# columns = {{ user_id = "customer", item_id = "sku", timestamp = "time" }}     # our name = yours
# [inputs.items]
# path = "data/items.parquet"         # or path = "postgresql://reader@db.example/shop", table = "public.items"
# [inputs.users]
# path = "data/users.parquet"
# [inputs.exposures]
# path = "data/shown/*.parquet"       # what was shown to whom, if you log it
"""

UNBROKEN = "\N{NO-BREAK SPACE}"


def template() -> str:
    """A configuration in which everything is commented out, so that it means the defaults."""
    plain, sections = [], []
    for name, field in NightConfig.model_fields.items():
        if name == "inputs":
            sections.append(INPUTS.format(keys="\n".join(keys_of(TableInput, "a table"))))
        elif name == "models":
            sections.append(models())
        elif isinstance(field.default, BaseModel):
            sections.append(section(name, type(field.default)))
        else:
            plain.append(setting(name, field))
    return "\n".join([HEAD, *plain, "", *sections])


def section(name: str, kind: type[BaseModel]) -> str:
    """A table, and after it those within it."""
    about = (kind.__doc__ or "").strip().splitlines()[0]
    fields = kind.model_fields
    within = {field: type(found.default) for field, found in fields.items() if isinstance(found.default, BaseModel)}
    plain = [setting(field, found) for field, found in fields.items() if field not in within]
    tables = [section(f"{name}.{field}", table) for field, table in within.items()]
    return "\n".join([f"# {about}", f"# [{name}]", *plain, "", *tables])


def setting(name: str, field: FieldInfo) -> str:
    """`# name = default   # what it is`."""
    line = f"# {name} = {toml(field.get_default(call_default_factory=True))}"
    return f"{line:<36} # {field.description}" if field.description else line


def keys_of(kind: type[BaseModel], owner: str) -> list[str]:
    """What a table of the configuration may say, as comments of a comment: the lines below it are those to change."""
    lines = [setting(name, field) for name, field in kind.model_fields.items() if not field.is_required()]
    return [f"# What {owner} may say, with its defaults:", *(f"#   {line}" for line in lines)]


def models() -> str:
    lines = ["# Tonight's candidates; a table [models.NAME] replaces this whole list by your own."]
    lines += keys_of(Candidate, "a candidate")
    for name, candidate in default_models().items():
        recommender = candidate.recommender or name
        lines += [f"# [models.{name}]", *parameters_comment(recommender)]
        changed = candidate.model_dump(exclude_defaults=True)
        lines += [f"# {key} = {toml(value)}" for key, value in changed.items()]
    return "\n".join([*lines, ""])


def parameters_comment(recommender: str) -> list[str]:
    """A recommender's hyper-parameters and their defaults."""
    defaults = [f"{one.name} = {toml(one.default)}" for one in parameters_of(kind_of(recommender))]
    joined = ", ".join(one.replace(" ", UNBROKEN) for one in defaults)
    lines = [line.replace(UNBROKEN, " ") for line in textwrap.wrap(joined, width=112)]
    about = f"#   # Its parameters (`nightrec models {recommender}` explains them):"
    return [about, *(f"#   # {line}" for line in lines)]


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }" if value else "{}"
    return '"none"' if value is None else json.dumps(value, default=str)
