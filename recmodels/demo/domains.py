"""The demo site as a site with several domains: its films, books and audiobooks are catalogues of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.parquet import as_numpy

KINDS = {2: {"books": ("book", "audiobook"), "films": ("film",)}}
KINDS[3] = {"audiobooks": ("audiobook",), "books": ("book",), "films": ("film",)}
"""Number of domains -> their names, and the kinds of items in each."""

_SETTINGS = """\
# The demo site with {n} domains: one catalogue each, and users in common. Try `nightrec run --config nightrec.toml`.

[inputs.interactions]
domains = {{ {interactions} }}

[inputs.items]
domains = {{ {items} }}

[inputs.users]
path = "users.parquet"
"""


def split_site(folder: Path, n: int) -> dict[str, Any]:
    """Split a site that `write_site` has written as Parquet into `n` domains.

    Each has a folder with its `interactions.parquet` and `items.parquet`, whose ids begin with 1 in every domain;
    beside them are the users' table and `nightrec.toml`. Rows of unknown items go to the first domain.

    Returns:
        The files and their rows, as `write_site` does.
    """
    items, kinds = pq.read_table(folder / "items.parquet"), KINDS[n]
    code = np.zeros(len(items), np.int64)
    for place, names in enumerate(kinds.values()):
        code[pc.is_in(items["kind"], value_set=pa.array(names)).to_numpy()] = place
    ids = pc.fill_null(items["item_id"], 0).to_numpy()
    of_id, new_id = np.zeros(ids.max() + 1, np.int64), np.arange(ids.max() + 1)
    for place in range(n):
        mine = np.unique(ids[(code == place) & (ids > 0)])
        of_id[mine], new_id[mine] = place, np.arange(1, len(mine) + 1)

    def written(table: str) -> dict[str, int]:
        """Write the rows of each domain into its folder, and count them."""
        with pq.ParquetFile(folder / f"{table}.parquet") as whole:
            writers = {name: pq.ParquetWriter(folder / name / f"{table}.parquet", whole.schema_arrow) for name in kinds}
            for batch in whole.iter_batches():
                found = as_numpy(pc.fill_null(batch["item_id"], 0))
                known = np.where(found < len(of_id), found, 0)
                renamed = pa.array(np.where(found < len(of_id), new_id[known], found), mask=found == 0)
                rows = batch.set_column(batch.schema.get_field_index("item_id"), "item_id", renamed)
                for place, writer in enumerate(writers.values()):
                    writer.write_batch(rows.filter(pa.array(of_id[known] == place)))
            for writer in writers.values():
                writer.close()
        (folder / f"{table}.parquet").unlink()
        return {name: pq.read_metadata(folder / name / f"{table}.parquet").num_rows for name in kinds}

    for name in kinds:
        (folder / name).mkdir(exist_ok=True)
    rows = {table: written(table) for table in ("interactions", "items")}
    users = pq.read_table(folder / "users.parquet").replace_schema_metadata(None)  # it goes on no more
    pq.write_table(users, folder / "users.parquet")
    paths = {table: ", ".join(f'{name} = "{name}/{table}.parquet"' for name in kinds) for table in rows}
    (folder / "nightrec.toml").write_text(_SETTINGS.format(n=n, **paths))
    counted = {f"{table} of {name}": count for table, of in rows.items() for name, count in of.items()}
    files = {f"{table} of {name}": f"{name}/{table}.parquet" for table in rows for name in kinds}
    return {"files": {**files, "users": "users.parquet"}, "rows": {**counted, "users": len(users)}}
