"""`nightrec item`, on a small site."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.items import in_words, item
from recmodels.errors import ConfigError
from tasks.lookup.items import item_seen
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root), excluded=["i3"])
    return root


@pytest.fixture(scope="module")
def ask(root: Path) -> Ask:
    def asked(*arguments: str) -> str:
        found = CliRunner().invoke(item, [*arguments, "--store", str(root)])
        if found.exception is not None:
            raise found.exception
        return found.output

    return asked


def test_an_item_is_told_of_in_sentences(ask: Ask, root: Path) -> None:
    lines = ask("Title 2").splitlines()
    seen = item_seen(Store(root), "i2")
    assert lines == in_words(seen)
    assert lines[0].startswith(f"Title 2 (i2): in {seen.lists} of 5 lists (")
    assert lines[1] == "Who gets it: " + ", ".join(f"{user} (rank {rank})" for user, rank in seen.sample) + "."
    assert ask("i3").splitlines()[:2] == [
        "Title 3 (i3): in 0 of 5 lists of 2026-03-31.",
        "It is excluded by the setting export.excluded.",
    ]


def test_scripts_get_all_of_it(ask: Ask, root: Path) -> None:
    found = json.loads(ask("i2", "--json"))
    seen = item_seen(Store(root), "i2")
    assert (found["item_id"], found["lists"], found["users"]) == ("i2", seen.lists, 5)
    assert found["exposure"][0]["export_id"] == "2026-03-31"


def test_several_items_are_listed(ask: Ask) -> None:
    assert ask("title").splitlines() == [f"i{n}  Title {n}" for n in range(8)]
    assert json.loads(ask("title", "--json"))["found"][0] == {"item_id": "i0", "title": "Title 0"}


def test_what_no_item_has_is_said(ask: Ask) -> None:
    with pytest.raises(ConfigError, match="No item has nothing in its title or its id"):
        ask("nothing")
