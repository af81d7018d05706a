"""What a column is, by its type and content."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.features.column_roles import _words, role_of
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
        ("adult", [True, False], "category"),
        ("item_id", [1, 2], "ignore"),
        ("empty", [None, None], "ignore"),
    ],
)
def test_a_columns_role_is_guessed_from_its_type_and_content(name: str, values: list[Any], role: str) -> None:
    table = pa.table({name: values})
    assert role_of(table, name, FeatureSettings()) == role
    assert role_of(table, name, FeatureSettings(roles={name: "ignore"})) == "ignore"
