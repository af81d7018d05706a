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


def test_domains_are_categories_where_there_are_no_others() -> None:
    ids, domain = (
        ["films:1", "books:1", "books:2", "films:2"],
        ["films", "books", "books", None],
    )  # one is in no catalogue
    several = ITEMS.set_column(0, "item_id", [ids]).add_column(1, "domain", [domain])
    assert categories_of(several, FeatureSettings())[0] == ["Farm", "Wild", "farm"]
    alone = several.select(["item_id", "domain", "title"])
    assert categories_of(alone, FeatureSettings(roles={"domain": "category"}))[0] == ["books", "films"]
    field = ITEMS.add_column(1, "domain", [["law", "art", "law", "art"]])  # of a site without several catalogues
    assert categories_of(field, FeatureSettings(roles={"domain": "category"}))[0] == ["art", "law"]
