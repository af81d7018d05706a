"""The categories of items, for caps and diversity."""

import pyarrow as pa

from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red fox", "Red hen", None, "Красная лиса red"],
        "genres": ["Farm|Wild", "farm", "", "Wild"],
        "labels": [["x", "y"], [], None, ["x"]],
        "price": [1.0, 3.0, None, 100.0],
    }
)


def test_categories_are_those_of_the_first_category_column_else_of_the_first_tags() -> None:
    names, item, category = categories_of(ITEMS, FeatureSettings())
    assert names == ["Farm", "Wild", "farm"]
    assert list(zip(item.tolist(), category.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 2), (3, 1)]
    by_kind = ITEMS.append_column("kind", [["film", "book", "film", None]])
    assert categories_of(by_kind, FeatureSettings(roles={"kind": "category"}))[0] == ["book", "film"]
