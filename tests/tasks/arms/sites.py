"""A small site with arms by hand: what was published, what users did, what was shown to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.experiments.assignment import arms_of
from tasks.arms.settings import ArmsSettings
from tasks.arms.since import salt_digest
from tasks.store.feedback import SHOWN, USED, learned, learned_before
from tasks.store.files import append_line, write_json
from tasks.store.paths import Night
from tests.tasks.site import CUTOFF, DAY, END, events, write_valid_tables

SETTINGS = ArmsSettings.model_validate({"groups": {"holdback": {"share": 0.4, "policy": "popularity"}}})


def users_in(arm: str, n: int, settings: ArmsSettings = SETTINGS) -> list[int]:
    """The first users, by their ids from 1, that are in an arm."""
    ids = range(1, 100 * n)
    return [user for user, its in zip(ids, arms_of(ids, settings.shares, settings.salt), strict=True) if its == arm][:n]


def write_users(night: Night, users: list[int]) -> None:
    """The night's index of users and of the items a to f, of two categories."""
    night.prepared.mkdir(parents=True, exist_ok=True)
    index = pa.array(range(len(users)), pa.int32())
    pq.write_table(pa.table({"user_index": index, "user_id": users}), night.prepared / "users.parquet")
    items = {"item_index": pa.array(range(6), pa.int32()), "item_id": list("abcdef"), "category": list("xxxyyy")}
    pq.write_table(pa.table(items), night.prepared / "items.parquet")


def write_log(night: Night, rows: list[tuple[int, str, float]]) -> None:
    """Interactions from (user, item, days before the cutoff)."""
    write_valid_tables(night.valid, interactions=events(rows))


def publish(
    night: Night,
    days: float,
    lists: dict[int, list[str]] | None = None,
    settings: ArmsSettings | None = SETTINGS,
    policy: str = "ease",
) -> str:
    """An export of the settings' arms, published some days before the cutoff; removed since, if without lists."""
    store, when = night.store, at(days)
    export_id = str(when.date())
    path = store.export_manifest(export_id)
    about: dict[str, Any] = {"export_id": export_id, "run_date": export_id, "champion": "ease", "files": []}
    if settings is not None:
        groups = {name: arm.model_dump() for name, arm in settings.groups.items()}
        about["arms"] = {"salt": salt_digest(settings.salt), "groups": groups}
    if lists is None:
        path = path.parent / "removed" / path.name
    else:
        rows = [
            {"user_id": user, "rank": rank, "item_id": item, "model": "ease", "policy": policy}
            for user, items in lists.items()
            for rank, item in enumerate(items, 1)
        ]
        topk = store.export(export_id) / "topk"
        topk.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows)
        pq.write_table(table.set_column(1, "rank", table["rank"].cast(pa.int16())), topk / "part-00000.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, about)
    line = {"at": when.isoformat(), "export_id": export_id, "instead_of": None, "by": "night"}
    append_line(store.root / "published.jsonl", line)
    return export_id


def show(
    night: Night,
    days_ago: int,
    rows: list[tuple[int, float, str]],
    *,
    assumed: bool = False,
    arm: str = "main",
    days: int | None = None,
    reward: str = "clicked",
) -> None:
    """What was shown `days` ago, from (user, reward, policy), as kept by a night."""
    users, rewards, policies = zip(*rows, strict=True)
    more = {"assumed": [assumed] * len(rows), "reward": pa.array(rewards, pa.float32())}
    more["arm"] = pa.array([arm] * len(rows)).dictionary_encode()
    _keep(night, SHOWN, days_ago, days or days_ago, [(user, "a") for user in users], policies, more, reward)


def use(night: Night, days_ago: int, rows: list[tuple[int, str]], days: int | None = None) -> None:
    """What users did of their lists `days` ago, from (user, item), as kept by a night."""
    _keep(night, USED, days_ago, days or days_ago, rows, ["ease"] * len(rows), {"arm": ["main"] * len(rows)})


def _keep(
    night: Night,
    name: str,
    days_ago: int,
    days: int,
    rows: list[tuple[int, str]],
    policies: Sequence[str],
    more: dict[str, Any],
    reward: str = "",
) -> None:
    columns = {
        "user_id": [user for user, _ in rows],
        "item_id": [item for _, item in rows],
        "rank": pa.array([1] * len(rows), pa.int16()),
        "timestamp": pa.array([END - round((days - 0.5) * DAY)] * len(rows), pa.int64()),
        "export_id": pa.array(["2026-03-01"] * len(rows)).dictionary_encode(),
        "policy": pa.array(policies).dictionary_encode(),
    }
    with learned(night.store, at(days_ago).date(), name) as path:
        pq.write_table(pa.table({**columns, **more}).replace_schema_metadata({"reward": reward}), path)


def kept(night: Night, name: str) -> list[Path]:
    """The files of a kind that nights have kept."""
    return list(learned_before(night.store, night.run_date, name, days=90).values())


def at(days: float) -> datetime:
    """So many days before the cutoff."""
    return CUTOFF - timedelta(days=days)
