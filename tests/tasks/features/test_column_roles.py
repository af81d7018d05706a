"""What a column is, by its type and content."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmodels.errors import ConfigError
from tasks.features.column_roles import _words, numbers_of, role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import length_in_words


def test_chinese_descriptions_are_texts_and_chinese_categories_are_not() -> None:
    about = ["一部关于一个小女孩和她的朋友的温暖的电影", "讲述两个京剧演员半个世纪悲欢离合的故事"]
    assert role_of(pa.table({"about": about}), "about", FeatureSettings()) == "text"
    assert role_of(pa.table({"kind": ["家电", "图书"] * 10}), "kind", FeatureSettings()) == "category"


@given(st.lists(st.text() | st.text("aB_ 1-é千ﬁ\x00"), min_size=1, max_size=6))
@pytest.mark.slow
def test_the_words_of_texts_are_counted_one_by_one_or_all_at_once(texts: list[str]) -> None:
    assert _words(pa.chunked_array([texts])) == sum(map(length_in_words, texts))


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("genres", ["A|B", "C", "A|C"], "tags"),
        ("brand", ["x", "y"] * 10, "category"),
        ("sku", [f"sku-{n}" for n in range(20)], "ignore"),
        ("about", ["one two three four", "a longer text about it"], "text"),
        ("price", [1, 2], "numeric"),
        ("labels", [["a"], []], "tags"),
        ("sizes", [[36.5, 37.0], [38.0]], "tags"),
        ("embedding", [[0.5] * 16, None, [0.25] * 16], "ignore"),
        ("adult", [True, False], "category"),
        ("item_id", [1, 2], "ignore"),
        ("empty", [None, None], "ignore"),
    ],
)
def test_a_columns_role_is_guessed_from_its_type_and_content(name: str, values: list[Any], role: str) -> None:
    table = pa.table({name: values})
    assert role_of(table, name, FeatureSettings()) == role
    assert role_of(table, name, FeatureSettings(roles={name: "ignore"})) == "ignore"


def test_whole_numbers_of_any_size_are_numbers() -> None:
    found = numbers_of(pa.table({"created_ns": pa.array([1_790_000_000_123_456_789, None], pa.int64())}), "created_ns")
    np.testing.assert_array_equal(found, [1.790000000123456789e18, np.nan])
    with pytest.raises(ConfigError, match=r"features\.roles: the column size is to be numeric, and holds values \(str"):
        numbers_of(pa.table({"size": ["3", "XL"]}), "size")
