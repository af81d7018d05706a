"""Redis: a key a list, under a prefix of the export's own; one key says which prefix is the current one.

`<prefix>:latest` is set when all keys are there and have been read back; then the keys of other exports go.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from recmodels.errors import ConfigError, NightrecError
from tasks.publish.sinks.settings import RedisSettings, address
from tasks.publish.sinks.source import LISTS_BY, Published, Tally, compare
from tasks.store.duckdb import quoted
from tasks.store.files import Json

if TYPE_CHECKING:
    from redis import Redis

KEYS_AT_ONCE = 5_000
SAME_IN_A_LIST = ("run_date", "model", "arm")


def load(settings: RedisSettings, published: Published) -> Json:
    """Bring the keys to the current export: what arrived, by table.

    Raises:
        ConfigError: the address or the package is missing, or the address is none.
        ConnectionError: the server does not answer.
        NightrecError: the server refused it (for want of memory, say), or what arrived is not what was sent.
    """
    try:
        from redis import Redis, exceptions
    except ImportError:
        raise ConfigError("The sink redis needs another package: pip install 'nightrec[redis]'.") from None
    url = address(settings.url_env)
    try:
        client = Redis.from_url(url, socket_timeout=60, socket_connect_timeout=10, decode_responses=True)
    except ValueError:
        raise ConfigError(f"{settings.url_env} does not hold an address like redis://host:6379/0.") from None
    try:
        with client:
            return _fill(client, settings, published)
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        kind = type(error).__name__
        why = f"does not answer, or lets nobody in ({kind})"
        raise ConnectionError(f"The server of {settings.url_env} {why}.") from None
    except exceptions.RedisError as error:
        raise NightrecError(f"The server of {settings.url_env} refused it: {type(error).__name__}.") from None


def _fill(client: Redis, settings: RedisSettings, published: Published) -> Json:
    until = int(time.time() + settings.expire_hours * 3600)
    root, proofs = f"{settings.prefix}:{published.version}", {}
    sent = {table: Tally() for table in published.tables}
    for table in published.tables:
        for entries in _keys(root, table, published):
            sent[table].add(entries)
            pipeline: Any = client.pipeline(transaction=False)
            for key, value in zip(entries["key"].to_pylist(), entries["value"].to_pylist(), strict=True):
                pipeline.set(key, value, exat=until)
            pipeline.execute()
    for table in published.tables:  # after all are written: a server short of memory may have dropped the first
        arrived = Tally()
        for entries in _keys(root, table, published):
            values = pa.array(client.mget(entries["key"].to_pylist()), pa.string())
            found = pa.table({"key": entries["key"], "value": values})
            arrived.add(found.filter(values.is_valid()))
        proofs[table] = compare(table, sent[table], arrived)
    client.set(f"{settings.prefix}:latest", published.version, exat=until)
    _remove_others(client, settings.prefix, published.version)
    return proofs


def _keys(root: str, table: str, published: Published) -> Iterator[pa.Table]:
    """Keys and their lists as JSON, `{run_date, model, items: [{item_id, score, ...}]}`, some thousand at a time."""
    by, names = LISTS_BY[table], published.schema(table).names
    rest = [name for name in names if name not in (*by, *SAME_IN_A_LIST, "rank")]
    columns = ", ".join(map(quoted, by))
    item = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in rest)
    same = ", ".join(f"{name} := any_value({name})" for name in SAME_IN_A_LIST if name in names)
    query = (
        f"SELECT concat_ws(':', $root, {columns}) AS key, "
        f"to_json(struct_pack({same}, items := list(struct_pack({item}) ORDER BY rank)))::VARCHAR AS value "
        f"FROM lists GROUP BY {columns}"
    )
    with duckdb.connect() as engine:
        for rows in published.lists(table):
            engine.register("lists", rows)
            found = engine.sql(query, params={"root": f"{root}:{table}"}).to_arrow_table()
            for start in range(0, found.num_rows, KEYS_AT_ONCE):
                yield found.slice(start, KEYS_AT_ONCE)


def _remove_others(client: Redis, prefix: str, version: str) -> None:
    """Remove the lists of other exports, and nothing else that has the prefix."""
    ours = re.compile(re.escape(prefix) + r":(\d{4}-\d\d-\d\d(\.\d+)?-[0-9a-f]{8}):(topk|similar|popular):")
    doomed: list[str] = []
    for key in client.scan_iter(match=f"{prefix}:*", count=KEYS_AT_ONCE):
        if (found := ours.match(key)) and found[1] != version:
            doomed.append(key)
        if len(doomed) == KEYS_AT_ONCE:
            client.unlink(*doomed)
            doomed = []
    if doomed:
        client.unlink(*doomed)
