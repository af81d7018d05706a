"""A user's list as it is looked up, with titles."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.data.domains import Domains
from recmodels.errors import ConfigError
from tasks.lookup.lists import list_of, someone
from tasks.store.paths import Night
from tests.tasks.publishing import CATALOGUE, lists, prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    publish(night)
    return night


def test_a_list_has_the_titles_of_its_items_and_reasons(night: Night) -> None:
    titles = dict(zip(CATALOGUE["item_id"].to_pylist(), CATALOGUE["title"].to_pylist(), strict=True))
    rows = list_of(night.store.root, "1")
    assert [row["item_id"] for row in rows] == [row["item_id"] for row in lists(night)[1]]
    assert [row["rank"] for row in rows] == [1, 2, 3][: len(rows)]
    assert all(row["title"] == titles[row["item_id"]] for row in rows)
    assert all(row["reason_title"] == titles.get(row["reason_item_id"]) for row in rows)


@pytest.mark.parametrize(
    ("user", "why"), [("99", "User 99 is not in the export"), ("ann", "user ids are whole numbers")]
)
def test_a_user_without_a_list_is_said_to_have_none(night: Night, user: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        list_of(night.store.root, user)


def test_someone_is_a_user_with_a_personal_list(night: Night) -> None:
    found = someone(night.store.root, RUN_DATE)
    assert found is not None
    user, rows = found
    assert rows[0]["source"] == "personal"
    assert [row["item_id"] for row in rows] == [row["item_id"] for row in lists(night)[user]]


@pytest.mark.slow
def test_the_list_of_a_domain_alone(night: Night) -> None:
    with pytest.raises(ConfigError, match="has no lists of domains: leave --domain out"):
        list_of(night.store.root, "1", domain="films")
    Domains(("books", "films"), np.arange(8, dtype=np.int32) % 2).write(night.prepared)
    publish(night, fresh=True)
    rows = list_of(night.store.root, "1", domain="films")
    assert rows and {row["item_id"] for row in rows} <= {"i1", "i3", "i5", "i7"}
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1)) and all(row["title"] for row in rows)
    with pytest.raises(ConfigError, match="There is no domain 'film' in the user's lists: there are books, films"):
        list_of(night.store.root, "1", domain="film")
