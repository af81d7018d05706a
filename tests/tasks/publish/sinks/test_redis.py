"""Redis, on a real server: a key a list, and nobody sees half of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from recmodels.engine.current import using
from tasks.forgetting.forget import forget
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import RedisSettings, SinkSettings, failures
from tasks.store.files import read_json
from tasks.store.paths import Night
from tests.tasks import servers
from tests.tasks.loading import Twice, published, succeeds
from tests.tasks.publishing import publish
from tests.tasks.site import RUN_DATE


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
            assert value["arm"] == "main" and {item["policy"] for item in value["items"]} == {"item_knn"}
            assert {item["propensity"] for item in value["items"]} == {1.0}
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
        (why_not,) = failures({"sinks": load(night.store, REDIS, task=False)})
    finally:
        redis.config_set("maxmemory", 0)
    assert "refused it: OutOfMemoryError" in why_not and "secret" not in why_not
    assert redis.get("shop:latest") == before
    succeeds(night.store, REDIS)


def test_what_a_lost_node_has_set_is_set_again_and_counts_once(night: Night, redis: Any) -> None:
    publish(night)
    succeeds(night.store, REDIS)
    alone = {key: redis.get(key) for key in redis.scan_iter("shop:*")}
    proofs = read_json(night.store.root / "sinks.json")
    redis.flushall()
    with using(Twice()):
        succeeds(night.store, REDIS, fresh=True)
    assert {key: redis.get(key) for key in redis.scan_iter("shop:*")} == alone
    again = read_json(night.store.root / "sinks.json")
    assert proofs and again and again["redis"]["loaded"]["tables"] == proofs["redis"]["loaded"]["tables"]
