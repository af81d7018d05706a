"""Redis: a key a list, under a prefix of the export's own; one key says which prefix is the current one.

`<prefix>:latest` is set when all keys are there and have been read back; then the keys of other exports go. The nodes
of an engine set and read back the keys, each those of some files; the night's process does the rest.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from recmodels.engine.work import Work
from recmodels.errors import ConfigError, NightrecError
from tasks.publish.by_nodes import ANSWER
from tasks.publish.sinks.by_file import ROWS, by_file, total
from tasks.publish.sinks.settings import RedisSettings, address
from tasks.publish.sinks.source import LISTS_BY, Published, Tally, compare, lists_of, schema_of
from tasks.store.duckdb import quoted
from tasks.store.files import Json, write_json

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
    until = int(time.time() + settings.expire_hours * 3600)
    told = {"variable": settings.url_env, "root": f"{settings.prefix}:{published.version}", "until": until}
    with _server(settings.url_env) as client:
        client.ping()
        sent, arrived = (
            by_file(function, published, told, published.tables)
            for function in (send, read_back)  # all are sent before: a server short of memory may drop the first
        )
        proofs = {table: compare(table, total(sent[table]), total(arrived[table])) for table in published.tables}
        client.set(f"{settings.prefix}:latest", published.version, exat=until)
        _remove_others(client, settings.prefix, published.version)
    return proofs


def send(work: Work) -> None:
    """Set the keys of a file's lists; a key that is there has the same list."""
    sent = Tally()
    with _server(work.arguments["variable"]) as client:
        for entries in _keys(work):
            sent.add(entries)
            pipeline: Any = client.pipeline(transaction=False)
            for key, value in zip(entries["key"].to_pylist(), entries["value"].to_pylist(), strict=True):
                pipeline.set(key, value, exat=work.arguments["until"])
            pipeline.execute()
    write_json(work.out / ANSWER, sent.proof())


def read_back(work: Work) -> None:
    """Count the keys of a file's lists that are there, and what they hold."""
    arrived = Tally()
    with _server(work.arguments["variable"]) as client:
        for entries in _keys(work):
            values = pa.array(client.mget(entries["key"].to_pylist()), pa.string())
            found = pa.table({"key": entries["key"], "value": values})
            arrived.add(found.filter(values.is_valid()))
    write_json(work.out / ANSWER, arrived.proof())


@contextmanager
def _server(variable: str) -> Iterator[Redis]:
    """The server whose address a variable of the environment holds. Raises what `load` does."""
    try:
        from redis import Redis, exceptions
    except ImportError:
        raise ConfigError("The sink redis needs another package: pip install 'nightrec[redis]'.") from None
    url = address(variable)
    try:
        client = Redis.from_url(url, socket_timeout=60, socket_connect_timeout=10, decode_responses=True)
    except ValueError:
        raise ConfigError(f"{variable} does not hold an address like redis://host:6379/0.") from None
    try:
        with client:
            yield client
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        why = f"does not answer, or lets nobody in ({type(error).__name__})"
        raise ConnectionError(f"The server of {variable} {why}.") from None
    except exceptions.RedisError as error:
        raise NightrecError(f"The server of {variable} refused it: {type(error).__name__}.") from None


def _keys(work: Work) -> Iterator[pa.Table]:
    """Keys and their lists as JSON, `{run_date, model, items: [{item_id, score, ...}]}`, some thousand at a time."""
    file, table, root = work.inputs[ROWS], work.arguments["table"], work.arguments["root"]
    by, names = LISTS_BY[table], schema_of(file, table).names
    rest = [name for name in names if name not in (*by, *SAME_IN_A_LIST, "rank")]
    columns = ", ".join(map(quoted, by))
    item = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in rest)
    same = ", ".join(f"{name} := any_value({name})" for name in SAME_IN_A_LIST if name in names)
    query = (
        f"SELECT concat_ws(':', $root, {columns}) AS key, "
        f"to_json(struct_pack({same}, items := list(struct_pack({item}) ORDER BY rank)))::VARCHAR AS value "
        f"FROM lists GROUP BY {columns}"
    )
    with duckdb.connect() as db:
        for rows in lists_of(file, table):
            db.register("lists", rows)
            found = db.sql(query, params={"root": f"{root}:{table}"}).to_arrow_table()
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
