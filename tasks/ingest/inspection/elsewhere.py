"""Tables that are no files of this machine: their first rows are looked at in files, and named by where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recmodels.errors import ConfigError
from tasks.ingest.inspection.findings import FileFound, Inspection
from tasks.ingest.landing.objects import within
from tasks.ingest.landing.preview import BYTES, ROWS, Preview, check_table, preview
from tasks.ingest.reading import iceberg
from tasks.ingest.reading.addresses import is_database, refuse_secret, scheme, without_user
from tasks.ingest.reading.files import is_elsewhere
from tasks.ingest.reading.inputs import TableInput

_WRITTEN = re.compile(r"insert|load|ingest|writ|receive|creat|added|logged")  # names of the time of writing


@dataclass
class Elsewhere:
    """What was read of such tables, by the folders that have it."""

    folder: Path
    previews: list[Preview] = field(default_factory=list)

    def here(self, paths: Sequence[str], as_of: int | None) -> list[str]:
        """The paths with folders of this machine in place of what is elsewhere.

        Args:
            paths: files, folders, globs and addresses.
            as_of: the version of tables that have some.

        Raises:
            ConfigError: a driver, a database, a table or a right is missing.
            DataRefused: the rows cannot be read.
            ConnectionError: the place cannot be reached.
        """
        return [self._here(path, as_of) for path in paths]

    def _here(self, path: str, as_of: int | None) -> str:
        try:
            if is_database(path):
                refuse_secret(path)
                check_table(path)
            table = TableInput(path=path) if as_of is None or is_database(path) else TableInput(path=path, as_of=as_of)
        except ValidationError as error:
            raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ") + ".") from None
        except ValueError as error:
            raise ConfigError(f"{error}.") from None
        if not is_elsewhere("inspect", table):
            return path
        self.previews.append(preview(table, self.folder / str(len(self.previews))))
        return str(self.previews[-1].folder)

    def named(self, found: Inspection) -> Inspection:
        """An inspection with each table where it is, in place of the folder that has its rows."""
        inputs = {name: self._input(table) for name, table in found.inputs.items()}
        said = {each.name: self._said(getattr(found, each.name)) for each in fields(found) if each.name != "inputs"}
        notes = (
            *said.pop("notes"),
            *(_note(one) for one in self.previews if not one.whole),
            *_watermarks(found, inputs),
        )
        some = [one for one in self.previews if not one.whole]
        sampled = any(_is_of(table, one) for table in found.inputs.values() for one in some)
        return Inspection(inputs=inputs, notes=notes, **said | {"sampled": sampled})

    def _input(self, table: TableInput) -> TableInput:
        """The settings of a table, with the address of what they were found for."""
        for one in self.previews:
            if _is_of(table, one):
                inner = table.path.removeprefix(f"{one.folder}").strip("/") if one.files else ""
                given = one.table.model_dump(exclude_unset=True, exclude={"path"})
                path = within(one.table.path, inner) if inner else one.table.path
                return table.model_copy(update=given | {"path": path})
        return table

    def _said(self, value: Any) -> Any:
        """What is said of files here, of what they are of."""
        if isinstance(value, FileFound) and (one := self._of(value.path)) is not None and not one.files:
            lake = "Iceberg" if iceberg.is_table(one.table.path) else "Delta"
            kind = scheme(one.table.path) if is_database(one.table.path) else lake
            return replace(value, path=one.where, bytes=0, format=kind)
        if isinstance(value, str):
            for one in self.previews:
                value = _instead(value, one)
            return value
        if isinstance(value, tuple):
            return tuple(map(self._said, value))
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{each.name: self._said(getattr(value, each.name)) for each in fields(value)})
        return value

    def _of(self, path: str) -> Preview | None:
        return next((one for one in self.previews if path.startswith(f"{one.folder}/")), None)


def _watermarks(found: Inspection, inputs: Mapping[str, TableInput]) -> Iterator[str]:
    """Of a log in a database, the column that may tell when each row was written."""
    for table in found.tables:
        given = inputs.get(table.table or "")
        if given is None or not is_database(given.path) or given.watermark or table.table in ("items", "users"):
            continue
        for column in table.columns:
            if _WRITTEN.search(column.name.lower()) and column.type.startswith(("timestamp", "date")):
                yield (
                    f"{table.table}: if {column.name} is the time at which a row was written, watermark = "
                    f'"{column.name}" has later nights read only what is new'
                )
                break


def _is_of(table: TableInput, one: Preview) -> bool:
    return f"{table.path}/".startswith(f"{one.folder}/")


def _instead(text: str, one: Preview) -> str:
    if one.files:
        return text.replace(str(one.folder), without_user(one.table.path).rstrip("/"))
    for file in one.folder.glob("*.parquet"):
        text = text.replace(str(file), one.where)
    return text.replace(str(one.folder), one.where)


def _note(one: Preview) -> str:
    most = f"{BYTES >> 20:,} MiB of files" if one.files else f"first {ROWS:,} rows"
    return f"of {one.where} the {most} were looked at; `nightrec validate` reads all"
