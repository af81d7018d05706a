"""The help of all commands, and what the shell completes."""

import shlex
from datetime import date
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli import completing
from flows.cli.app import nightrec
from flows.cli.help import GROUPS, OTHERS
from tasks.store.exports import point_to
from tasks.store.files import write_json
from tasks.store.paths import Store
from tasks.store.simulations import Simulation
from tests.tasks.exported import with_manifest

ABOUT = {name: about for group in GROUPS.values() for name, about in group.items()}


def test_every_command_is_in_a_group_and_has_examples_that_it_understands() -> None:
    assert set(nightrec.commands) <= set(ABOUT)
    page = nightrec.get_help(click.Context(nightrec, info_name="nightrec"))
    assert all(f"{group}:" in page for group in GROUPS) and OTHERS not in page
    for name, about in ((name, ABOUT[name]) for name in nightrec.commands):
        assert about.summary in page
        help_page = nightrec.commands[name].get_help(click.Context(nightrec.commands[name], info_name=name))
        for line, _ in about.examples:
            assert line in help_page
            arguments = shlex.split(line.partition(" | ")[0].removeprefix('eval "$(').removesuffix(')"'))
            assert arguments[:2] == ["nightrec", name]
            parsed = nightrec.commands[name].make_context(name, arguments[2:], resilient_parsing=True)
            assert not parsed.args, line


@pytest.fixture
def context(tmp_path: Path) -> click.Context:
    """A command of a store with two nights, and an export of four users."""
    store = Store(tmp_path)
    for day in (date(2026, 3, 30), date(2026, 3, 31)):
        write_json(store.night(day).summary, {"status": "published"})
    write_json(Simulation(store, "trial").settings, {})
    topk = store.export("2026-03-31") / "topk"
    topk.mkdir(parents=True)
    users = ["ann", "anton", "bob", "bob"]
    pq.write_table(pa.table({"user_id": users, "rank": [1, 1, 1, 2]}), topk / "part-00000.parquet")
    point_to(store, with_manifest(store, "2026-03-31", users=3, k=2))
    found = click.Context(click.Command("recs"))
    found.params["store"] = tmp_path
    return found


@pytest.mark.parametrize(
    ("complete", "begin", "found"),
    [
        (completing.nights, "2026", ["2026-03-31", "2026-03-30"]),
        (completing.exports, "2026-03-3", ["2026-03-31"]),
        (completing.users, "an", ["ann", "anton"]),
        (completing.users, "b", ["bob"]),
        (completing.models, "als,eas", ["als,ease"]),
        (completing.presets, "movie", ["movielens"]),
        (completing.policies, "als,ora", ["als,oracle"]),
        (completing.simulations, "tr", ["trial"]),
    ],
)
def test_what_is_there_is_completed(
    context: click.Context, monkeypatch: pytest.MonkeyPatch, complete: completing.Complete, begin: str, found: list[str]
) -> None:
    monkeypatch.chdir(context.params["store"])
    assert [item.value for item in complete(context, click.Argument(["x"]), begin)] == found


def test_who_opted_out_since_is_not_completed(context: click.Context) -> None:
    valid = Store(context.params["store"]).night(date(2026, 3, 31)).valid
    valid.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": ["ann", "bob"], "opted_out": [True, False]}), valid / "users.parquet")
    assert [item.value for item in completing.users(context, click.Argument(["x"]), "an")] == ["anton"]


def test_where_there_is_nothing_to_complete_no_error_is_shown(tmp_path: Path) -> None:
    context = click.Context(click.Command("recs"))
    context.params["store"] = tmp_path / "nowhere"
    assert completing.users(context, click.Argument(["x"]), "u") == []
