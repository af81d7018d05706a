"""Deployments that were called by their sites alone are replaced, with what people changed of them."""

from types import SimpleNamespace
from typing import Any, cast

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from flows.operate.former_deployments import take_over


def schedule(slug: str | None, active: bool = True, id_: str = "") -> Any:
    return SimpleNamespace(slug=slug, active=active, id=id_ or slug, parameters={}, schedule={"cron": "0 3 * * *"})


class Server:
    """Some deployments, and what is done with them."""

    def __init__(self, **deployments: Any) -> None:
        self.deployments = {name.replace("_", "/", 1): one for name, one in deployments.items()}
        self.done: list[tuple[Any, ...]] = []

    def read_deployment_by_name(self, name: str) -> Any:
        if name not in self.deployments:
            raise ObjectNotFound(Exception(name))
        return self.deployments[name]

    def create_deployment_schedules(self, id_: str, added: list[Any]) -> None:
        self.done.append(("added", id_, added[0].slug, added[0].active))

    def update_deployment_schedule(self, id_: str, schedule_id: str, active: bool) -> None:
        self.done.append(("switched", id_, schedule_id, active))

    def update_deployment(self, id_: str, change: Any) -> None:
        self.done.append(("paused", id_, change.paused))

    def delete_deployment(self, id_: str) -> None:
        self.done.append(("deleted", id_))


def deployment(id_: str, *schedules: Any, tags: tuple[str, ...] = ("nightrec", "shop"), paused: bool = False) -> Any:
    return SimpleNamespace(id=id_, schedules=schedules, tags=tags, paused=paused)


def test_what_was_paused_stays_paused_and_what_was_added_goes_on(monkeypatch: Any) -> None:
    old = deployment("old", schedule("night", active=False), schedule("noon"), schedule(None), paused=True)
    server = Server(nightly_shop=old)
    server.deployments["nightly/nightly-shop"] = deployment("new", schedule("night", id_="night-of-new"))
    monkeypatch.setattr("flows.operate.former_deployments.DeploymentScheduleCreate", SimpleNamespace)
    pairs = [("nightly", "shop"), ("backfill", "shop")]
    assert take_over(cast(SyncPrefectClient, server), pairs) == ["nightly/shop"]
    assert server.done == [
        ("switched", "new", "night-of-new", False),
        ("added", "new", "noon", True),
        ("added", "new", None, True),
        ("paused", "new", True),
        ("deleted", "old"),
    ]


def test_a_deployment_of_somebody_else_is_left_alone() -> None:
    server = Server(nightly_shop=deployment("theirs", tags=()))
    assert take_over(cast(SyncPrefectClient, server), [("nightly", "shop")]) == []
    assert server.done == []
