"""Delta Lake tables: which of the files in a folder hold the rows of a version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from recmodels.errors import ConfigError
from recmodels.messages import short

if TYPE_CHECKING:
    from deltalake import DeltaTable

LOG = "_delta_log"
_PREFIX = "partition."


def is_table(path: str | Path) -> bool:
    """Whether a path is that of a folder with a Delta table."""
    return "://" not in str(path) and (Path(path).expanduser() / LOG).is_dir()


def opened(path: str | Path, as_of: int | None = None, what: str = "") -> DeltaTable:
    """A table at a version, the newest if none is given. `what`: the table of ours, for messages.

    Raises:
        ConfigError: the package is missing, or there is no such version.
    """
    try:
        from deltalake import DeltaTable
    except ImportError:
        raise ConfigError(f"{what}: '{path}' is a Delta table, which needs pip install 'nightrec[delta]'.") from None
    where = str(path) if "://" in str(path) else str(Path(path).expanduser())
    with _in_words(path, as_of, what):
        return DeltaTable(where, version=as_of)


def is_plain(table: DeltaTable) -> bool:
    """Whether the rows are those of the files, under the names that they have there."""
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        return False
    features = table.protocol().reader_features or ()
    return "deletionVectors" not in features or pa.table(table.deletion_vectors()).num_rows == 0


def files(path: Path, table: DeltaTable) -> list[tuple[Path, dict[str, str | None]]]:
    """The files of a version of the table in a folder, and the values of the columns that are not in them."""
    found = {}
    for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        values = {key.removeprefix(_PREFIX): _text(value) for key, value in file.items() if key.startswith(_PREFIX)}
        found[path / unquote(str(file["path"])).removeprefix("file://")] = values
    return sorted(found.items(), key=lambda each: each[0])


def _text(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def _in_words(path: str | Path, as_of: int | None, what: str) -> Iterator[None]:
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        wanted = f"version {as_of} of the Delta table '{path}'" if as_of is not None else f"the Delta table '{path}'"
        reason = short(" ".join(str(error).split()), 120)
        raise ConfigError(f"{what}: {wanted} cannot be read ({reason}); check the path and the version.") from None
