"""How many rows the files of a table have, as far as they say so themselves."""

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from tasks.ingest.reading.files import find, is_elsewhere
from tasks.ingest.reading.inputs import TableInput


def rows_of(name: str, table: TableInput) -> int:
    """The rows of a table of Parquet files, by their footers.

    Raises:
        ConfigError: there are no such files, or they are no Parquet files.
    """
    how = f"say how many rows it has: --{name} COUNT"
    if is_elsewhere(name, table):
        raise ConfigError(f"{name}: '{table.place}' is no file here; {how}.")
    total = 0
    for file in find(name, table).read:
        try:
            total += pq.read_metadata(file.path).num_rows
        except (pa.ArrowException, OSError):
            raise ConfigError(f"{name}: '{file.path}' is no Parquet file, which alone says its rows; {how}.") from None
    return total
