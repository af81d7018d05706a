"""What points of a vector database carry of an item: what its night took for title, categories and tags."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from tasks.publish.sinks.item_columns import write_item_columns
from tasks.publish.sinks.source import Published
from tasks.store.paths import Night
from tests.tasks.publishing import publish


@pytest.fixture
def published(night: Night) -> Published:
    """An export, whose items also have prices, some of which are none."""
    publish(night)
    path = night.prepared / layout.ITEMS
    prices = pa.array([np.nan, 1.5, np.inf, None, *[2.0] * 4], pa.float64())
    pq.write_table(pq.read_table(path).append_column("price", prices), path)
    return Published.latest(night.store)


def written(
    published: Published, folder: Path, names: Sequence[str] | None = None
) -> tuple[list[str], list[dict[str, Any]]]:
    filtered = write_item_columns(published, names, folder / "columns.parquet")
    texts = pq.read_table(folder / "columns.parquet")["columns"].to_pylist()
    return filtered, [json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for text in texts]


def test_columns_are_what_the_settings_of_the_night_say(published: Published, tmp_path: Path) -> None:
    filtered, items = written(published, tmp_path)
    assert filtered == ["genre"] and items[0] == {"title": "Title 0", "genre": "x"}
    about = published.export.manifest
    told = about | {"rules": about["rules"] | {"roles": {"genre": "ignore", "price": "category"}}}
    filtered, items = written(replace(published, export=replace(published.export, manifest=told)), tmp_path)
    assert filtered == ["price"] and items[1] == {"title": "Title 1", "price": 1.5}


def test_numbers_that_are_none_are_missing(published: Published, tmp_path: Path) -> None:
    assert written(published, tmp_path, ["price"]) == ([], [{}, {"price": 1.5}, {}, {}, *[{"price": 2.0}] * 4])
