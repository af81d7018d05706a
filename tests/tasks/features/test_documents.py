"""Words, tags, categories and ranges of numbers of each item."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.features.documents import Documents, _of_numbers, item_documents, range_of, tag_documents
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import stop_words, words


def lists(documents: Documents) -> list[list[str]]:
    """The terms of each item in the order of the names."""
    rows = documents.counts.toarray().astype(int)
    return [[name for name, n in zip(documents.names, row, strict=True) for _ in range(n)] for row in rows]


def test_columns_say_what_their_roles_make_of_them() -> None:
    items = pa.table(
        {
            "title": ["Red red fox", None, "Hen", "Hen"],
            "genres": ["b|A", "", None, "a| b |b"],
            "labels": pa.chunked_array([[["y", None], []], [None, ["x", "y", " Y "]]], pa.list_(pa.string())),
            "free": [True, None, False, True],
            "size": pa.array([[{"cm": 3}], [], [{"cm": 4}], [{"cm": 3}]]),
            "code": pa.array([2**60, None, 2**61, 2**60]),
        }
    )
    roles = FeatureSettings(roles={"genres": "tags"})
    found = {name: lists(one) for name, one in item_documents(items, roles, np.ones(4, bool)).items()}
    assert found == {
        "title": [["fox", "red", "red"], [], ["hen"], ["hen"]],
        "genres": [["a", "b"], [], [], ["a", "b", "b"]],
        "labels": [["y"], [], [], ["x", "y", "y"]],
        "free": [["True"], [], ["False"], ["True"]],
        "size": [["{'cm': 3}"], [], ["{'cm': 4}"], ["{'cm': 3}"]],
        "code": [["below 2.30584e+18"], [], ["from 2.30584e+18"], ["below 2.30584e+18"]],
    }


@given(st.lists(st.none() | st.text() | st.text("aB_ 1-=é千ﬁ\u0301\u0338\x00\n"), max_size=6), st.booleans())
@example(["<\u0300\u0338"], False)
@pytest.mark.slow
def test_the_terms_of_texts_are_their_words(texts: list[str | None], without: bool) -> None:
    items = pa.table({"title": pa.array(texts, pa.string())})
    settings = FeatureSettings(stop_words=["en"] if without else [])
    found = item_documents(items, settings, np.ones(len(texts), bool))["title"]
    stop = stop_words(settings.stop_words)
    assert lists(found) == [sorted(words(text, settings.ngrams, stop)) for text in texts]
    assert found.names == sorted(set(found.names)) and found.counts.sum(axis=0).all()


def test_texts_in_several_arrays_are_read_as_in_one() -> None:
    texts = ["Red red fox", None, "", "Hen fox", "hen Owl"]
    several = pa.chunked_array([texts[:2], [], texts[2:4], texts[4:]], pa.string())
    one, other = (
        item_documents(pa.table({"title": column}), FeatureSettings(), np.ones(5, bool))["title"]
        for column in (pa.array(texts), several)
    )
    assert lists(one) == lists(other) == [["fox", "red", "red"], [], [], ["fox", "hen"], ["hen", "owl"]]


def test_a_range_has_about_as_many_known_items_as_any_other() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.nan, 100, -5])
    known = np.arange(11) < 9
    expected = ["below 3"] * 2 + ["3 to 5"] * 2 + ["5 to 7"] * 2 + ["from 7"] * 2
    assert lists(_of_numbers(values, 4, known)) == [[name] for name in expected] + [[], ["from 7"], ["below 3"]]
    assert lists(_of_numbers(np.array([0.0, 0, 0, 1]), 8, np.ones(4, bool))) == [["below 1"]] * 3 + [["from 1"]]
    assert lists(_of_numbers(np.array([7.0, np.nan]), 8, np.ones(2, bool))) == [["any"], []]
    assert lists(_of_numbers(np.array([7.0]), 8, np.zeros(1, bool))) == [[]]


def test_numbers_are_terms_unless_there_are_no_bins() -> None:
    items = pa.table({"price": [1.0, 2.0, None, 4.0]})
    known = np.ones(4, bool)
    assert lists(item_documents(items, FeatureSettings(bins=2), known)["price"]) == [
        ["below 2"],
        ["from 2"],
        [],
        ["from 2"],
    ]
    assert item_documents(items, FeatureSettings(bins=0), known) == {}


def test_ranges_of_numbers_that_differ_in_their_last_digits_have_names_of_their_own() -> None:
    values = np.array([1_700_000_001.0, 1_700_000_002.0, 1_700_000_003.0])
    names, place = range_of(values, 3, np.ones(3, np.bool_))
    assert names == ["below 1700000002", "1700000002 to 1700000003", "from 1700000003"]
    assert place.tolist() == [0, 1, 2]


def test_tags_of_unknown_time_count_as_those_of_a_table_without_times(tmp_path: Path) -> None:
    times = pa.array([None, 5, 10], pa.timestamp("us", "UTC"))
    tags = pa.table({"item_id": ["a", "a", "a"], "tag": ["x", "y", "late"], "timestamp": times})
    pq.write_table(tags, tmp_path / "tags.parquet")
    assert lists(tag_documents(tmp_path / "tags.parquet", pa.chunked_array([["a"]]), 10)["user_tags"]) == [["x", "y"]]


def test_tags_of_users_count_once_each_and_those_of_unknown_items_do_not(tmp_path: Path) -> None:
    tags = pa.table({"item_id": ["b", "?", "a", "b", None], "tag": ["Cosy", "x", "late|cosy", "cosy", "x"]})
    pq.write_table(tags, tmp_path / "tags.parquet")
    found = tag_documents(tmp_path / "tags.parquet", pa.chunked_array([["a", "b", "c"]]), 0)
    assert lists(found["user_tags"]) == [["cosy", "late"], ["cosy", "cosy"], []]
    assert tag_documents(tmp_path / "none.parquet", pa.chunked_array([["a"]]), 0) == {}
