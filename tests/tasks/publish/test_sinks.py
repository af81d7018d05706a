"""The sinks, each on a real server: what they hold is the export, once, whole, and current."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flows.cli.console import nights
from recmodels.published.reader import Export
from tasks.publish.forget import forget
from tasks.publish.sinks import source as module
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import DeltaSettings, PostgresSettings, RedisSettings, SinkSettings, failures
from tasks.publish.sinks.source import Published, Tally
from tasks.report.figures import news
from tasks.store.exports import rollback
from tasks.store.files import read_json
from tasks.store.paths import Night, Store
from tests.flows.running import nightrec
from tests.tasks import servers
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)
TABLES = ("topk", "similar", "popular")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST), k=2)
    prepare_night(root)
    return root


@pytest.fixture
def night(tmp_path: Path, prepared: Path) -> Night:
    """A night that is to be published after ``FIRST``."""
    return Store(shutil.copytree(prepared, tmp_path / "store", symlinks=True)).night(RUN_DATE)


def published(store: Store, table: str) -> list[dict[str, Any]]:
    return Export.latest(store.root).table(table).to_pylist()


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=str)


def succeeds(store: Store, rules: SinkSettings, **options: bool) -> dict[str, Any]:
    outcome = load(store, rules, task=False, **options)
    assert not failures({"sinks": outcome}), outcome
    return outcome


# Rows and tallies


def test_a_tally_does_not_depend_on_the_order_and_sees_every_change() -> None:
    rows = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"], "c": pa.array([0.5, 1.5, 2.5], pa.float32())})

    def tally(*tables: pa.Table) -> tuple[int, int]:
        one = Tally()
        for table in tables:
            one.add(table)
        return one.rows, one.checksum

    assert tally(rows) == tally(rows.slice(1), rows.slice(0, 1))
    assert tally(rows) != tally(rows.set_column(1, "b", [["x", "", "z"]]))
    assert tally(rows) != tally(pa.concat_tables([rows, rows.slice(0, 1)]))


def test_lists_are_never_cut(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (1, 2, 4, 7):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", n)
        for table in TABLES:
            whole = [one for one in Published.latest(night.store).lists(table) if one.num_rows]
            assert all(one["rank"][0].as_py() == 1 for one in whole)
            assert pa.concat_tables(whole).num_rows == len(published(night.store, table))


# Delta Lake


def delta_rows(path: Path, table: str) -> list[dict[str, Any]]:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    return deltalake.DeltaTable(str(path / table)).to_pyarrow_table().to_pylist()  # type: ignore[no-any-return]


def test_delta_has_a_partition_a_night_and_each_once(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    path = tmp_path / "lake"
    rules = SinkSettings(delta=DeltaSettings(path=str(path)))
    succeeds(night.store, rules)
    first = {table: published(night.store, table) for table in TABLES}
    publish(night)
    for options in ({}, {"fresh": True}):  # again does not double them
        outcome = succeeds(night.store, rules, **options)
        for table in TABLES:
            expected = first[table] + published(night.store, table)
            assert ordered(delta_rows(path, table)) == ordered(expected), table
    assert outcome["delta"]["tables"]["topk"]["rows"] == len(published(night.store, "topk"))
    succeeds(night.store, SinkSettings(delta=DeltaSettings(path=str(path), nights=1)))
    assert ordered(delta_rows(path, "topk")) == ordered(published(night.store, "topk"))


def test_delta_rows_that_read_back_wrongly_are_taken_back(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    rules = SinkSettings(delta=DeltaSettings(path=str(tmp_path / "lake")))
    succeeds(night.store, rules)
    before = {table: delta_rows(tmp_path / "lake", table) for table in TABLES}
    publish(night)
    monkeypatch.setattr(Tally, "add", corrupting(Tally.add))
    why = failures({"sinks": load(night.store, rules, task=False)})
    assert len(why) == 1 and "Read back, the table similar has other values than were sent" in why[0]
    assert {table: ordered(delta_rows(tmp_path / "lake", table)) for table in TABLES} == {
        table: ordered(rows) for table, rows in before.items()
    }


def corrupting(add: Any) -> Any:
    """A tally that finds something else every time."""
    calls = iter(range(1, 1000))

    def wrong(self: Tally, rows: pa.Table) -> pa.Table:
        found = add(self, rows)
        self.checksum += next(calls)
        return found

    return wrong


# PostgreSQL


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with servers.postgres() as address:
        yield address


@pytest.fixture
def postgres(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection, to a database without tables of ours; the sink finds its address in SHOP_DSN."""
    import psycopg

    monkeypatch.setenv("SHOP_DSN", dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


POSTGRES = SinkSettings(postgres=PostgresSettings(dsn_env="SHOP_DSN", table="lists"))


def postgres_rows(connection: Any, name: str) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(f"SELECT * FROM {name}").fetchall()
        return rows


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Scores as float32 prints them, which is how PostgreSQL gives a real."""
    import numpy as np

    return [row | {"score": str(np.float32(row["score"]))} for row in rows]


def test_postgres_holds_the_current_lists(night: Night, postgres: Any) -> None:
    succeeds(night.store, POSTGRES)
    publish(night)
    names = dict(zip(TABLES, ("lists", "lists_similar", "lists_popular"), strict=True))
    for options in ({}, {}, {"fresh": True}):
        succeeds(night.store, POSTGRES, **options)
        for table, name in names.items():
            expected = rounded(published(night.store, table))
            assert ordered(rounded(postgres_rows(postgres, name))) == ordered(expected)
    rollback(night.store)
    succeeds(night.store, POSTGRES)
    assert {row["run_date"] for row in postgres_rows(postgres, "lists")} == {FIRST}


def test_a_view_and_a_right_to_read_outlive_the_swap(night: Night, postgres: Any) -> None:
    succeeds(night.store, POSTGRES)
    postgres.execute("CREATE VIEW best AS SELECT * FROM lists WHERE rank = 1; GRANT SELECT ON lists TO pg_monitor")
    publish(night)
    succeeds(night.store, POSTGRES)
    assert {row["run_date"] for row in postgres_rows(postgres, "best")} == {RUN_DATE}
    assert postgres.execute("SELECT has_table_privilege('pg_monitor', 'lists', 'SELECT')").fetchone() == (True,)
    found = postgres.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'lists%' AND relkind = 'r'").fetchone()
    assert found == (3,)  # nothing is left lying about


def test_names_may_be_words_of_sql(night: Night, postgres: Any) -> None:
    postgres.execute('CREATE SCHEMA "order"')
    rules = SinkSettings(postgres=PostgresSettings(dsn_env="SHOP_DSN", table="order.user"))
    succeeds(night.store, rules)
    publish(night)
    succeeds(night.store, rules)
    assert {row["run_date"] for row in postgres_rows(postgres, '"order"."user"')} == {RUN_DATE}
    postgres.execute('DROP SCHEMA "order" CASCADE')


def test_postgres_keeps_the_old_lists_when_the_new_ones_do_not_arrive(
    night: Night, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeeds(night.store, POSTGRES)
    before = postgres_rows(postgres, "lists")
    publish(night)
    with monkeypatch.context() as patch:
        patch.setattr(Tally, "add", corrupting(Tally.add))
        assert "other values than were sent" in failures({"sinks": load(night.store, POSTGRES, task=False)})[0]
    assert postgres_rows(postgres, "lists") == before
    succeeds(night.store, POSTGRES)


def test_a_table_of_somebody_else_is_left_alone(night: Night, postgres: Any) -> None:
    postgres.execute("CREATE TABLE lists (id int); INSERT INTO lists VALUES (1)")
    assert "lists is not the table of such lists" in failures({"sinks": load(night.store, POSTGRES, task=False)})[0]
    assert postgres_rows(postgres, "lists") == [{"id": 1}]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql://shop:wrong-secret@127.0.0.1:{port}/postgres", "does not answer, or lets nobody in"),
        ("postgresql://shop:a-secret@127.0.0.1:9/postgres", "does not answer"),
        (None, "The environment variable SHOP_DSN, which is to hold the address, is not set"),
    ],
)
def test_an_address_that_is_wrong_is_told_without_it(
    night: Night, dsn: str, monkeypatch: pytest.MonkeyPatch, address: str | None, why: str
) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    if address:
        monkeypatch.setenv("SHOP_DSN", address.format(port=dsn.partition("@127.0.0.1:")[2].partition("/")[0]))
    (told,) = failures({"sinks": load(night.store, POSTGRES, task=False)})
    assert why in told and "secret" not in told and "`nightrec sink`" in told


# Redis


@pytest.fixture(scope="module")
def redis_server() -> Iterator[str]:
    pytest.importorskip("redis", reason="redis is not installed")
    with servers.redis() as address:
        yield address


@pytest.fixture
def redis(redis_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    from redis import Redis

    monkeypatch.setenv("SHOP_REDIS", redis_server)
    with Redis.from_url(redis_server, decode_responses=True) as client:
        client.flushall()
        yield client


REDIS = SinkSettings(redis=RedisSettings(url_env="SHOP_REDIS", prefix="shop", expire_hours=2))


def test_redis_has_a_key_a_list(night: Night, redis: Any) -> None:
    redis.set("shop:cart:1", "not ours")
    succeeds(night.store, REDIS)
    publish(night)
    for options in ({}, {}, {"fresh": True}):
        succeeds(night.store, REDIS, **options)
        version = redis.get("shop:latest")
        assert version.startswith(f"{RUN_DATE}-")
        rows = published(night.store, "topk")
        users = {row["user_id"] for row in rows}
        for user in users:
            value = json.loads(redis.get(f"shop:{version}:topk:{user}"))
            mine = [row for row in rows if row["user_id"] == user]
            assert [item["item_id"] for item in value["items"]] == [row["item_id"] for row in mine]
            assert [item["score"] for item in value["items"]] == pytest.approx([row["score"] for row in mine])
            assert value["run_date"] == str(RUN_DATE) and value["model"] == mine[0]["model"]
        overall = json.loads(redis.get(f"shop:{version}:popular:all"))["items"]
        popular = [
            row for row in published(night.store, "popular") if (row["window"], row["category"]) == ("all", None)
        ]
        assert [item["item_id"] for item in overall] == [row["item_id"] for row in popular]
        keys = list(redis.scan_iter("shop:*"))
        assert {key.split(":")[1] for key in keys} == {"latest", version, "cart"}
        assert len([key for key in keys if ":topk:" in key]) == len(users)
        assert all(0 < redis.ttl(key) <= 7200 for key in keys if ":cart:" not in key)


def test_who_is_forgotten_is_gone_from_redis(night: Night, redis: Any) -> None:
    publish(night)
    succeeds(night.store, REDIS)
    assert list(redis.scan_iter("shop:*:topk:1"))
    forget(night.store, "1")
    succeeds(night.store, REDIS)
    assert not list(redis.scan_iter("shop:*:topk:1")) and list(redis.scan_iter("shop:*:topk:2"))


def test_a_redis_without_room_keeps_readers_where_they_are(night: Night, redis: Any) -> None:
    succeeds(night.store, REDIS)
    before = redis.get("shop:latest")
    publish(night)
    redis.config_set("maxmemory", 1)
    try:
        (told,) = failures({"sinks": load(night.store, REDIS, task=False)})
    finally:
        redis.config_set("maxmemory", 0)
    assert "refused it: OutOfMemoryError" in told and "secret" not in told
    assert redis.get("shop:latest") == before
    succeeds(night.store, REDIS)


# The night and the command


def test_one_sink_that_fails_does_not_keep_the_others(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    rules = SinkSettings(delta=DeltaSettings(path=str(tmp_path / "lake")), redis=RedisSettings(url_env="NOWHERE"))
    outcome = load(night.store, rules, task=False)
    assert list(outcome) == ["delta", "redis"] and outcome["delta"]["export_id"] == str(FIRST)
    assert failures({"sinks": outcome}) == [
        "The sink redis was not loaded: The environment variable NOWHERE, which is to hold the address, is not set "
        "here. `nightrec sink` loads it again."
    ]


def test_a_failure_is_in_the_status_and_in_the_report() -> None:
    record = {
        "run_date": str(FIRST),
        "status": "published",
        "export_id": str(FIRST),
        "winner": "ease",
        "reason": "best",
    }
    record |= {"models": {"ease": {"ndcg": {"value": 0.5}}}, "sinks": {"delta": {}, "redis": {"failed": "It rained."}}}
    assert news(record, {})[-1] == "It rained."
    (*_, wrong) = nights([record], None).columns
    assert list(wrong.cells) == ["It rained."]


def test_the_command_loads_again_and_writes_it_down(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    assert nightrec("sink", cwd=tmp_path).code == 2
    record = night.store.night(FIRST).summary
    record.write_text('{"run_date": "2026-03-30", "sinks": {"delta": {"failed": "it rained"}}}')
    (tmp_path / "nightrec.toml").write_text('[sinks.delta]\npath = "lake"\n[sinks.redis]\nurl_env = "NOWHERE"\n')
    ran = nightrec("sink", "delta", cwd=tmp_path)
    rows = sum(len(published(night.store, table)) for table in TABLES)
    assert ran.code == 0 and ran.out == f"delta: {FIRST}, {rows:,} rows read back.\n", ran
    assert "failed" not in (read_json(record) or {})["sinks"]["delta"]
    ran = nightrec("sink", cwd=tmp_path)
    assert ran.code == 1 and "The sink redis was not loaded" in ran.err
    assert "failed" in (read_json(record) or {})["sinks"]["redis"]
    assert nightrec("sink", "oracle", cwd=tmp_path).code == 2


def test_settings_take_no_passwords() -> None:
    with pytest.raises(ValueError, match="credentials do not belong in a URL"):
        DeltaSettings(path="s3://somebody:secret@bucket/lake")
    with pytest.raises(ValueError, match="pattern"):
        PostgresSettings(dsn_env="SHOP_DSN", table="lists; drop table users")
