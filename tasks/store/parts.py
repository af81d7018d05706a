"""Tables of a night that are one Parquet file, or a folder of parts."""

from pathlib import Path


def parts(folder: Path, table: str) -> list[Path]:
    """The files of a table, whose rows are one after another those of the table; none where it is not there.

    Args:
        folder: of the tables, such as `raw/` or `valid/` of a night.
        table: `interactions`, say: `interactions.parquet`, or else every `interactions/part-*.parquet` by name.
    """
    whole = folder / f"{table}.parquet"
    return [whole] if whole.exists() else sorted((folder / table).glob("part-*.parquet"))
