"""Tables made of those files of a data set that no setting can describe, beside them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.packing import chunks, look
from tasks.ingest.reading.presets.apply import encoding_among, files_named, none_of, places, the_one
from tasks.ingest.reading.presets.layouts import LITERAL, PREPARED, DataFile, Preparation, Preset
from tasks.ingest.reading.textfiles import write_copy
from tasks.store.duckdb import connect, file_literal, literal


def prepare(preset: Preset, folder: Path) -> list[tuple[str, Path, int]]:
    """Make the tables of a preset for whose files a folder, or one in it, has them: table, file and rows of each.

    Raises:
        ConfigError: there is nothing to make, none of the files is there, or the folder cannot be written.
        DataRefused: a file is not what it should be.
    """
    if not preset.preparations:
        raise ConfigError(f"The files of {preset.name} are read as they are; there is nothing to prepare.")
    if not folder.is_dir():
        raise ConfigError(f"There is no folder '{folder}'; name the folder with the files of {preset.name}.")
    found = [place for place in places(folder) if any(_files(one, place) for one in preset.preparations)]
    if not found:
        raise none_of(preset, folder, [name for one in preset.preparations for name in one.needs])
    place = the_one(preset, folder, found)
    return [
        (one.table, path, _make(one, files, path))
        for one in preset.preparations
        if (files := _files(one, place)) and (path := place / PREPARED.format(table=one.table))
    ]


def _files(one: Preparation, place: Path) -> list[list[Path]]:
    """The files of each pattern, none unless all patterns have some."""
    begins = LITERAL if one.literals else ""
    found = [files_named(place, DataFile(one.table, (name,), begins=begins)) for name in one.needs]
    return found if all(found) else []


def _make(one: Preparation, files: list[list[Path]], path: Path) -> int:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".nightrec-") as copies:
            sql = one.sql
            for place, group in enumerate(files):
                plain = [_plain(one, file, Path(copies) / f"{place}-{i}") for i, file in enumerate(group)]
                sql = sql.replace(f"${place}", f"[{', '.join(file_literal(file) for file in plain)}]")
            with connect(path.parent) as db:
                (rows,) = db.execute(f"COPY ({sql}) TO {literal(unfinished)} (FORMAT parquet)").fetchall()[0]
        unfinished.replace(path)
    except duckdb.Error as error:
        there = ", ".join(str(file) for group in files for file in group)
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise DataRefused(f"{there}: not as the data set is described ({reason}); download it again.") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); copy the files to a folder of yours."
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)
    return int(rows)


def _plain(one: Preparation, file: Path, copy: Path) -> Path:
    """The file as text in UTF-8 that DuckDB reads: the file itself, or a copy."""
    if one.literals:
        with copy.open("w", encoding="utf-8") as out:
            out.writelines(_json_lines(file))
        return copy
    encoding = encoding_among(file, one.encodings) or one.encodings[0]
    if look(file, 1)[1] or encoding != "utf-8":
        write_copy(file, encoding, copy)
        return copy
    return file


def _json_lines(file: Path) -> Iterator[str]:
    """Lines of Python literals as lines of JSON; what is no literal, such as a call, is never run.

    Raises:
        DataRefused: a line is none.
    """
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            yield json.dumps(ast.literal_eval(line.decode())) + "\n"
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            shown = line[:40].decode("utf-8", "replace")
            raise DataRefused(f"{file}, line {number}: '{shown}' is no Python literal; download it again.") from None


def _lines(file: Path) -> Iterator[bytes]:
    held = b""
    for chunk in chunks(file):
        *whole, held = (held + chunk).split(b"\n")
        yield from whole
    yield held
