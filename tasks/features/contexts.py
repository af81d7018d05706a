"""In which context each pair that is trained on had its last event, by a column of the interactions."""

import json
from pathlib import Path

import pyarrow as pa

from recmodels.data import layout
from recmodels.data.contexts import MOST, NAMES
from recmodels.data.pairs import Pairs
from recmodels.errors import ConfigError
from tasks.features.single_events import of_known
from tasks.features.tables import write_numbers
from tasks.store.duckdb import connect, read_parts


def write_contexts(path: Path, prepared: Path, valid: Path, pairs: Pairs) -> None:
    """Write `user_index`, `item_index`, `timestamp` and `context`, a row a pair, by user and item.

    The context is a place among the values that the split's pairs have, which stand in the file's metadata in their
    order. Of several at a pair's last time it is the first one. A pair without one is left out.

    Args:
        path: the file.
        prepared, valid: the folders of these tables.
        pairs: of the split.

    Raises:
        ConfigError: the interactions have no such column, or more values than contexts may have.
    """
    columns = pairs.columns(["user_index", "item_index", "timestamp", "weight"])
    trained = columns.pop("weight") > 0
    known = pa.table({name: column[trained] for name, column in columns.items()})
    with connect(path.parent) as db:
        db.register("known", known)
        log = read_parts(valid, "interactions")
        if "context" not in db.sql(f"FROM {log} LIMIT 0").columns:
            raise ConfigError(
                "features.context: the interactions have no column context; say which it is, such as "
                'inputs.interactions.columns = { context = "device" }.'
            )
        found = db.sql(
            "SELECT user_index, item_index, known.timestamp AS timestamp, min(log.context) AS context "
            f"{of_known(log, prepared)} WHERE epoch_us(log.timestamp) = known.timestamp AND log.context IS NOT NULL "
            "GROUP BY ALL ORDER BY user_index, item_index"
        ).to_arrow_table()
    names = sorted(found["context"].unique().to_pylist())
    if len(names) > MOST:
        some = ", ".join(map(repr, names[:3]))
        raise ConfigError(
            f"features.context: the column context has {len(names)} values ({some}, …), and each is a list for every "
            f"user; it may have {MOST}."
        )
    codes = found["context"].combine_chunks().dictionary_encode()
    place = [names.index(name) for name in codes.dictionary.to_pylist()]
    number = pa.array(place, pa.int8()).take(codes.indices)
    about = {layout.SPLIT_END: str(pairs.end), NAMES: json.dumps(names)}
    times = found["timestamp"].cast(pa.timestamp("us", "UTC"))
    table = found.set_column(2, "timestamp", times).set_column(3, "context", number).replace_schema_metadata(about)
    write_numbers(table, path)
