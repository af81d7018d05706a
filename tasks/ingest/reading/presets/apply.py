"""A preset applied to what the configuration says, which wins wherever it says something itself."""

from __future__ import annotations

import codecs
import glob
import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.packing import chunks, head, inner_name
from tasks.ingest.reading.presets.catalog import preset_of
from tasks.ingest.reading.presets.layouts import PREPARED, DataFile, Layout, Preset

_FIRST_LINE = 1 << 12


def apply(name: str, inputs: Inputs) -> Inputs:
    """The inputs with what a preset knows; a folder is replaced by its files, and adds the tables it has.

    The files may be in the folder or in one of its folders, as archives leave them.

    Raises:
        ConfigError: the name is unknown, or a folder has no interactions, or several files of them.
        DataRefused: the data set cannot be read as it is.
    """
    preset = preset_of(name)
    tables = inputs.tables()
    folder = Path(inputs.interactions.path).expanduser()
    if folder.is_dir():
        for table, path in _tables(preset, folder).items():
            if table == "interactions" or table not in tables:
                tables[table] = _with(tables.get(table), {"path": path})
    return Inputs(**{table: _configured(preset, table, given) for table, given in tables.items()})


def files_named(folder: Path, file: DataFile) -> list[Path]:
    """The files of a folder that are such files, an unpacked one before its packed copy."""
    named: dict[str, Path] = {}
    for path in sorted(entries(folder), key=lambda path: (inner_name(path) != path.name.lower(), path.name)):
        if _is_named(path, file) and path.is_file() and inner_name(path) not in named and _begins(path, file):
            named[inner_name(path)] = path
    return list(named.values())


def places(folder: Path) -> list[Path]:
    """A folder and the folders in it."""
    return [folder, *sorted(path for path in entries(folder) if path.is_dir() and path.name[0] not in "._")]


def entries(folder: Path) -> list[Path]:
    """What is in a folder.

    Raises:
        ConfigError: it cannot be listed.
    """
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"The folder '{folder}' cannot be listed ({error.strerror}); name another one.") from None


def the_one(preset: Preset, folder: Path, found: Sequence[Path]) -> Path:
    """Of the folders that have the files of a preset the outer one, or the only one in it.

    Raises:
        ConfigError: there are several.
    """
    if found[0] != folder and len(found) > 1:
        several = ", ".join(place.name for place in found)
        raise ConfigError(f"The folder '{folder}' has several folders of {preset.name} ({several}); name one.")
    return found[0]


def none_of(preset: Preset, folder: Path, names: Sequence[str]) -> ConfigError:
    """That a folder has none of the files that a preset looks for."""
    there = ", ".join(sorted(path.name for path in entries(folder))[:8]) or "nothing"
    return ConfigError(
        f"The folder '{folder}' has none of the files of the preset {preset.name} ({', '.join(names)}), and nor have "
        f"the folders in it (there is {there}); name the folder that has them, or the file itself. "
        f"`nightrec presets {preset.name}` explains."
    )


def _tables(preset: Preset, folder: Path) -> dict[str, str]:
    """The paths of the tables in a folder, or in the one of its folders that has interactions."""
    found = {place: tables for place in places(folder) if "interactions" in (tables := _here(preset, place))}
    if found:
        return found[the_one(preset, folder, list(found))]
    raise none_of(
        preset, folder, list(dict.fromkeys(name for one in preset.files("interactions") for name in one.names))
    )


def _here(preset: Preset, folder: Path) -> dict[str, str]:
    """The paths of the tables in this folder: prepared ones, and those of the layout that has its interactions here.

    Raises:
        ConfigError: there are several files of interactions.
    """
    prepared = _prepared(preset, folder)
    found = [tables for layout in preset.layouts if "interactions" in (tables := _of_layout(layout, folder))]
    usable = [tables for tables in found if not tables["interactions"][0].refused]
    logs = [path for tables in usable for path in tables["interactions"][1]]
    if len(logs) > 1 and "interactions" not in prepared:
        several = ", ".join(path.name for path in logs[:4])
        raise ConfigError(f"The folder '{folder}' has several files of interactions ({several}); name one of them.")
    tables = next(iter(usable or found), {})
    return {table: _path(file, folder, paths) for table, (file, paths) in tables.items()} | prepared


def _of_layout(layout: Layout, folder: Path) -> dict[str, tuple[DataFile, list[Path]]]:
    """What this folder has of a layout, by table."""
    found: dict[str, tuple[DataFile, list[Path]]] = {}
    for file in layout.files:
        if file.table not in found and (paths := files_named(folder, file)):
            found[file.table] = (file, paths)
    return found


def _prepared(preset: Preset, folder: Path) -> dict[str, str]:
    """The tables in this folder that were made of its files.

    Raises:
        ConfigError: a file is newer than the table that was made of it.
    """
    found = {}
    for one in preset.preparations:
        if (path := folder / PREPARED.format(table=one.table)).is_file():
            for file in (file for name in one.needs for file in files_named(folder, DataFile(one.table, (name,)))):
                if file.stat().st_mtime_ns > path.stat().st_mtime_ns:
                    raise ConfigError(
                        f"{path} was made of an earlier {file.name}; make it again: "
                        f"nightrec presets {preset.name} --prepare {shlex.quote(str(folder))}"
                    )
            found[one.table] = str(path)
    return found


def _path(file: DataFile, folder: Path, paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 or file.refused else f"{glob.escape(str(folder))}/{file.names[0]}*"


def _configured(preset: Preset, table: str, given: TableInput) -> TableInput:
    """A table with the settings and columns of its file, where it does not have its own."""
    path = Path(given.path).expanduser()
    if not path.exists():
        path = Path(next(iter(sorted(glob.glob(str(path)))), given.path))  # noqa: PTH207  as for a table's own glob
    if path.name == PREPARED.format(table=table):
        return given
    file = _file_of(preset, table, path)
    if file.refused:
        raise DataRefused(f"{table}: {given.path} {file.refused}.")
    settings = {key: value for key, value in file.settings.items() if key not in given.model_fields_set}
    if "encoding" not in given.model_fields_set and (encoding := encoding_among(path, file.encodings)):
        settings["encoding"] = encoding
    return _with(given, settings | {"columns": dict(file.columns) | given.columns})


def _file_of(preset: Preset, table: str, path: Path) -> DataFile:
    """What a file is: by its name, else by the ending of its name; else only the names of columns are known."""
    known = preset.files(table)
    for file in known:
        if _is_named(path, file) and _begins(path, file):
            return file
    for file in known:
        ending = Path(file.names[0]).suffix
        if not file.refused and inner_name(path).endswith(ending) and _begins(path, file):
            return file
    columns = next((file.columns for file in known if file.columns), {})
    return DataFile(table, (), columns)


def _is_named(path: Path, file: DataFile) -> bool:
    name = inner_name(path)

    def among(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)

    return among(file.names) and not among(file.unlike)


def _begins(path: Path, file: DataFile) -> bool:
    if not file.begins:
        return True
    if not path.is_file():
        return False
    return re.match(file.begins, head(path, _FIRST_LINE).removeprefix(codecs.BOM_UTF8).decode("latin-1")) is not None


def encoding_among(path: Path, encodings: Sequence[str]) -> str | None:
    """The first encoding in which a whole file can be read."""
    if not path.is_file():
        return None
    for encoding in encodings:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for chunk in chunks(path):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _with(given: TableInput | None, settings: dict[str, Any]) -> TableInput:
    return TableInput(**({} if given is None else given.model_dump(exclude_unset=True)) | settings)
