"""Writing tables of numbers: whole ones as differences, which is smaller than any compression, and takes less time."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_numbers(table: pa.Table, path: Path, repeated: Sequence[str] = ()) -> None:
    """Write columns of numbers; each number of the `repeated` ones is many rows'."""
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    pq.write_table(
        table,
        path,
        use_dictionary=list(repeated) or False,
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        compression="none",
    )
