"""Tables of a night that are one Parquet file, or a folder of parts."""

import os
import shutil
from pathlib import Path


def parts(folder: Path, table: str) -> list[Path]:
    """The files of a table, whose rows are one after another those of the table; none where it is not there.

    Args:
        folder: of the tables, such as `raw/` or `valid/` of a night.
        table: `interactions`, say: `interactions.parquet`, or else every `interactions/part-*.parquet` by name.
    """
    whole = folder / f"{table}.parquet"
    return [whole] if whole.exists() else sorted((folder / table).glob("part-*.parquet"))


def part_path(folder: Path, table: str, number: int) -> Path:
    """Where a part of a table is written; `as_one_file` has the last word."""
    path = folder / table / f"part-{number:05}.parquet"
    path.parent.mkdir(exist_ok=True)
    return path


def as_one_file(folder: Path, table: str) -> None:
    """Make one file of a table that has one part, as small tables have."""
    files = parts(folder, table)
    if len(files) == 1 and files[0].parent != folder:
        files[0].rename(folder / f"{table}.parquet")
        (folder / table).rmdir()


def alike(path: Path, folder: Path, other: Path) -> Path:
    """Where a table's file in `folder` has its like in another folder of tables, in which it may be written."""
    found = other / path.relative_to(folder)
    found.parent.mkdir(exist_ok=True)
    return found


def remove(folder: Path, table: str) -> None:
    """Remove what there is of a table."""
    (folder / f"{table}.parquet").unlink(missing_ok=True)
    shutil.rmtree(folder / table, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy where there are none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
