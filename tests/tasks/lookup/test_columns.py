"""Columns as reasons of a list that is looked up: asked for its own user, items and rules, and shown."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from click.testing import CliRunner

from flows.cli.exports import recs
from recmodels.data.domains import Domains
from recmodels.knn.item_knn import ItemKNN
from recmodels.ranking.topk import TopK
from tasks.lookup.lists import list_of
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish, with_manifests


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    Domains(("books", "films"), np.arange(8, dtype=np.int32) % 2).write(night.prepared)
    with_manifests(night)
    publish(night, excluded=["i3"])
    return night


def test_the_model_is_asked_for_the_columns_of_the_list(night: Night) -> None:
    root, asked = night.store.root, []

    def reasons(_: Any, data: Any, users: Any, top: TopK, allowed: Any, repeats: Any) -> list[list[str | None]]:
        asked.append((data.n_users, users.tolist(), top.items.tolist(), allowed.tolist(), repeats))
        return [["items.price"] + [None] * (top.items.shape[1] - 1)]

    plain = list_of(root, "1")
    assert [row["reason_column"] for row in list_of(root, "1", why=True)] == [None] * len(plain)
    with patch.object(ItemKNN, "column_reasons", reasons):
        rows = list_of(root, "1", why=True)
        list_of(root, "1", domain="films", why=True)
        shown = CliRunner().invoke(recs, ["1", "--why", "--store", str(root)]).output
    assert [row | {"reason_column": None} for row in rows] == [row | {"reason_column": None} for row in plain]
    assert [row["reason_column"] for row in rows] == ["items.price"] + [None] * (len(rows) - 1)
    items = [int(row["item_id"][1:]) for row in plain]
    assert asked[0][1:3] == ([1], [items]) and asked[0][4] is False
    assert asked[0][3] == [True, True, True, False, True, False, True, True]  # i3 is excluded, i5 not available
    assert asked[1][3] == [False, True, False, False, False, False, False, True]  # among films
    assert "its items: price" in shown
