"""Qdrant: the published vectors in new collections, to which aliases are switched when all points have been read back.

The nodes of an engine put the points of a file each, and read them back; the night's process makes the collections,
switches the aliases in one request, and then removes the collections of other loads.

A point's id is the id of the item, or of the user, if that is a whole number from 0; else it is the UUID of version 5
of its text, in the name space of `POINTS`.

References:
    The REST API of Qdrant, https://api.qdrant.tech, as of version 1.10 and later.
"""

from __future__ import annotations

import json
import re
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Floats
from recmodels.engine.work import Work
from recmodels.errors import ConfigError, NightrecError
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.publish.by_nodes import ANSWER
from tasks.publish.sinks.by_file import ROWS, by_file, total
from tasks.publish.sinks.item_columns import write_item_columns
from tasks.publish.sinks.settings import QdrantSettings, address
from tasks.publish.sinks.source import Published, Tally, compare, rows_of
from tasks.publish.sinks.vector_texts import INNER_PRODUCT, matrix, texts
from tasks.store.files import TEMPORARY, Json, write_json

POINTS = uuid.NAMESPACE_OID
NUMBERS_AT_ONCE, MOST_AT_ONCE = 2**18, 1_000  # some megabytes of JSON a request, and points of it
NEIGHBORS, CONSIDERED = 16, 128  # of an item in the graph; when it is put there
INDEXED, ASKED_EVERY = 3600.0, 0.5  # seconds for a collection to be indexed; between questions about it
IDS = {ITEM_VECTORS: "item_id", USER_VECTORS: "user_id"}


def load(settings: QdrantSettings, published: Published) -> Json:
    """Bring the collections to the current export: what arrived, by table.

    Raises:
        ConfigError: an address is missing or none, or an alias is somebody else's.
        ConnectionError: the server does not answer.
        NightrecError: the export has no vectors, the server refused them, or what arrived is not what was sent.
    """
    tables = published.vector_tables(users=settings.users)
    aliases = {
        table: settings.collection if table == ITEM_VECTORS else f"{settings.collection}_users" for table in tables
    }
    made = {table: f"{alias}-{published.version}-{uuid.uuid4().hex[:8]}" for table, alias in aliases.items()}
    metrics = {table: list[str](settings.metrics if table == ITEM_VECTORS else [INNER_PRODUCT]) for table in tables}
    told = {"url": settings.url_env, "key": settings.api_key_env, "collections": made, "metrics": metrics}
    length = published.schema(ITEM_VECTORS).field("vector").type.list_size
    with _server(settings.url_env, settings.api_key_env) as client, _work_folder(published) as folder:
        pointed = _aliases(client)
        _check_aliases(list(aliases.values()), pointed)
        keywords = write_item_columns(published, settings.columns, folder / "items.parquet")
        try:
            for table, name in made.items():
                _make(client, name, metrics[table], length, searched=table == ITEM_VECTORS, keywords=keywords)
            sent, arrived = (
                by_file(function, published, told, tables, inputs={"items": folder / "items.parquet"})
                for function in (put_points, read_back)
            )
            proofs = {table: compare(table, total(sent[table]), total(arrived[table])) for table in tables}
            for table, name in made.items():
                _complete(client, name, proofs[table]["rows"])
            _switch(client, {aliases[table]: name for table, name in made.items()}, pointed)
        except Exception:
            for name in made.values():
                with suppress(Exception):
                    _ask(client, "DELETE", f"/collections/{name}")
            raise
        _remove_others(client, settings.collection, set(made.values()))
    return proofs


@contextmanager
def _work_folder(published: Published) -> Iterator[Path]:
    with TemporaryDirectory(dir=published.folder, prefix=TEMPORARY) as folder:
        yield Path(folder)


@contextmanager
def _server(url: str, key: str | None) -> Iterator[httpx.Client]:
    """The server whose address, and key, variables of the environment hold. Raises what `load` does."""
    headers = {"api-key": address(key)} if key else {}
    given = address(url)
    try:
        client = httpx.Client(base_url=given, headers=headers, timeout=httpx.Timeout(60, connect=10), verify=_trusted())
        if client.base_url.scheme not in ("http", "https") or not client.base_url.host:
            raise httpx.InvalidURL("")
    except (httpx.InvalidURL, ValueError):
        raise ConfigError(f"{url} does not hold an address like http://host:6333.") from None
    try:
        with client:
            yield client
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise ConnectionError(f"The server of {url} does not answer (HTTP {status}).") from None
        raise NightrecError(f"The server of {url} refused it: HTTP {status}.") from None  # its text may hold a payload
    except httpx.HTTPError as error:
        raise ConnectionError(f"The server of {url} does not answer ({type(error).__name__}).") from None


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted: to read them takes longer than a small request."""
    return httpx.create_ssl_context()


def _ask(client: httpx.Client, method: str, path: str, content: Any = None) -> Any:
    """The result of a request; its content is JSON, or the text of it."""
    text = content if content is None or isinstance(content, str) else json.dumps(content)
    answer = client.request(method, path, content=text, headers={"content-type": "application/json"})
    return answer.raise_for_status().json()["result"]


def _aliases(client: httpx.Client) -> dict[str, str]:
    """The collections that aliases point to."""
    found = _ask(client, "GET", "/aliases")["aliases"]
    return {one["alias_name"]: one["collection_name"] for one in found}


def _check_aliases(ours: list[str], pointed: dict[str, str]) -> None:
    for alias in ours:
        if alias in pointed and not _loads_of(alias).fullmatch(pointed[alias]):
            raise ConfigError(
                f"The alias {alias} points to {pointed[alias][:80]}, which is no collection of this sink: name another "
                "collection."
            )


def _loads_of(alias: str) -> re.Pattern[str]:
    """The names of the collections that were loaded for an alias."""
    return re.compile(re.escape(alias) + r"-\d{4}-\d\d-\d\d(\.\d+)?-[0-9a-f]{8}-[0-9a-f]{8}")


def _make(
    client: httpx.Client, name: str, metrics: list[str], length: int, *, searched: bool, keywords: list[str]
) -> None:
    """Make a collection, with a named vector for each metric, and what its points are filtered by."""
    graph = {"m": NEIGHBORS, "ef_construct": CONSIDERED} if searched else {"m": 0}
    vectors = {metric: {"size": length, "distance": "Dot"} for metric in metrics}  # vectors of `cosine` are of length 1
    _ask(client, "PUT", f"/collections/{name}", {"vectors": vectors, "hnsw_config": graph})
    if searched:
        for column, kind in {"available": "bool", **dict.fromkeys(keywords, "keyword")}.items():
            field = {"field_name": column, "field_schema": kind}
            _ask(client, "PUT", f"/collections/{name}/index?wait=true", field)


def put_points(work: Work) -> None:
    """Put the points of a file into its collection; one that is there is the same."""
    sent, told = Tally(), work.arguments
    path = f"/collections/{told['collections'][told['table']]}/points?wait=true"
    with _server(told["url"], told["key"]) as client:
        for points in _points(work):
            sent.add(points)
            ids, payloads = (f"[{','.join(points[name].to_pylist())}]" for name in ("id", "payload"))
            vectors = ",".join(
                f'"{name}":[{",".join(texts(matrix(points[name])).to_pylist())}]' for name in points.column_names[2:]
            )
            _ask(client, "PUT", path, f'{{"batch":{{"ids":{ids},"vectors":{{{vectors}}},"payloads":{payloads}}}}}')
    write_json(work.out / ANSWER, sent.proof())


def read_back(work: Work) -> None:
    """Count the points of a file that are in its collection, and what they hold."""
    arrived, told = Tally(), work.arguments
    path = f"/collections/{told['collections'][told['table']]}/points"
    with _server(told["url"], told["key"]) as client:
        for points in _points(work):
            asked = f'{{"ids":[{",".join(points["id"].to_pylist())}],"with_payload":true,"with_vector":true}}'
            found = _ask(client, "POST", path, asked)
            if not found:
                continue
            columns: dict[str, Any] = {
                "id": pa.array([json.dumps(one["id"]) for one in found]),
                "payload": pa.array([_text(one["payload"]) for one in found]),
            }
            for name in points.column_names[2:]:
                vectors = np.array([one["vector"][name] for one in found], np.float32)
                columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
            arrived.add(pa.table(columns))
    write_json(work.out / ANSWER, arrived.proof())


def _points(work: Work) -> Iterator[pa.Table]:
    """The points of a file, some at a time: `id` and `payload` as JSON, and a vector for each metric."""
    told, table = work.arguments, work.arguments["table"]
    items = pq.read_table(work.inputs["items"])
    for rows in rows_of(work.inputs[ROWS], table):
        columns = _columns_of(rows, table, items)
        step = max(1, min(MOST_AT_ONCE, NUMBERS_AT_ONCE // (rows.schema.field("vector").type.list_size * 2)))
        for first in range(0, len(rows), step):
            some = rows.slice(first, step)
            vectors = matrix(some["vector"])
            by_metric = {
                metric: vectors if metric == INNER_PRODUCT else _unit(vectors) for metric in told["metrics"][table]
            }
            yield pa.table(
                {
                    "id": [json.dumps(_point_id(one)) for one in some[IDS[table]].to_pylist()],
                    "payload": _payloads(some, table, columns.slice(first, step)),
                    **{
                        name: pa.FixedSizeListArray.from_arrays(pa.array(one.ravel()), one.shape[1])
                        for name, one in by_metric.items()
                    },
                }
            )


def _unit(vectors: Floats) -> Floats:
    """Vectors of length 1 in the same direction, whose products are cosines."""
    norms: Floats = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Floats = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return found


def _point_id(one: int | str) -> int | str:
    return one if isinstance(one, int) and one >= 0 else str(uuid.uuid5(POINTS, str(one)))


def _columns_of(rows: pa.Table, table: str, items: pa.Table) -> pa.Array:
    """What `items` say of the items of some rows, as JSON; null of users, and where nothing is known."""
    if table != ITEM_VECTORS or not len(items):
        return pa.nulls(len(rows), pa.string())
    places = pc.index_in(rows["item_id"].combine_chunks(), items["item_id"].combine_chunks())
    return items["columns"].combine_chunks().take(places)


def _payloads(rows: pa.Table, table: str, columns: pa.Array) -> list[str]:
    """What the points of some rows carry, as JSON; `columns` are of the same rows."""
    names = [name for name in (IDS[table], "available", "model") if name in rows.column_names]
    known: list[dict[str, Any]] = rows.select(names).to_pylist()
    return [_text(json.loads(text or "{}") | one) for text, one in zip(columns.to_pylist(), known, strict=True)]


def _text(payload: Json) -> str:
    return json.dumps(payload, sort_keys=True)


def _complete(client: httpx.Client, name: str, points: int) -> None:
    """Wait until a collection is indexed, so that the first searches are no slower than later ones.

    Raises:
        NightrecError: it has other points than those that were sent, or takes too long.
    """
    there = _ask(client, "POST", f"/collections/{name}/points/count", {"exact": True})["count"]
    if there != points:
        raise NightrecError(f"The collection {name} has {there:,} points of {points:,}.")
    last = time.monotonic() + INDEXED
    while _ask(client, "GET", f"/collections/{name}")["status"] != "green":
        if time.monotonic() > last:
            raise NightrecError(f"The collection {name} is not indexed after {INDEXED / 60:.0f} minutes.")
        time.sleep(ASKED_EVERY)


def _switch(client: httpx.Client, collections: dict[str, str], pointed: dict[str, str]) -> None:
    """Point all aliases to their new collections at once."""
    actions: list[Json] = []
    for alias, name in collections.items():
        if alias in pointed:
            actions.append({"delete_alias": {"alias_name": alias}})
        actions.append({"create_alias": {"collection_name": name, "alias_name": alias}})
    _ask(client, "POST", "/collections/aliases", {"actions": actions})


def _remove_others(client: httpx.Client, alias: str, kept: set[str]) -> None:
    """Remove the collections of other loads, of items and of users: a site may have left these out since."""
    ours = [_loads_of(one) for one in (alias, f"{alias}_users")]
    for one in _ask(client, "GET", "/collections")["collections"]:
        if one["name"] not in kept and any(pattern.fullmatch(one["name"]) for pattern in ours):
            _ask(client, "DELETE", f"/collections/{one['name']}")
