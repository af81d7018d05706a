"""Words and ranges of numbers as terms, weighted by column."""

import math

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tasks.features.settings import FeatureSettings
from tasks.features.terms import _ranges, fit_terms, item_documents, unit_rows
from tasks.features.tokens import stop_words, words


def test_function_words_of_the_named_languages_are_left_out() -> None:
    assert words("The fox and the hen", stop=stop_words(["en"])) == ["fox", "hen"]
    assert words("Der Fuchs und the hen", stop=stop_words(["de"])) == ["fuchs", "the", "hen"]
    assert stop_words([]) == frozenset()
    items = pa.table({"title": ["and fox", "and fox"]})
    documents = item_documents(items, FeatureSettings(stop_words=["en", "de"]), np.ones(2, bool))
    assert documents == {"title": [["fox"], ["fox"]]}
    with pytest.raises(ValidationError, match="no stop words for 'english'; give codes such as en"):
        FeatureSettings(stop_words=["english"])


def test_a_range_has_about_as_many_known_items_as_any_other() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.nan, 100, -5])
    known = np.arange(11) < 9
    expected = ["below 3"] * 2 + ["3 to 5"] * 2 + ["5 to 7"] * 2 + ["from 7"] * 2
    assert _ranges(values, 4, known) == [[name] for name in expected] + [[], ["from 7"], ["below 3"]]
    assert _ranges(np.array([0.0, 0, 0, 1]), 8, np.ones(4, bool)) == [["below 1"]] * 3 + [["from 1"]]
    assert _ranges(np.array([7.0, np.nan]), 8, np.ones(2, bool)) == [["any"], []]
    assert _ranges(np.array([7.0]), 8, np.zeros(1, bool)) == [[]]


def test_numbers_are_terms_unless_there_are_no_bins() -> None:
    items = pa.table({"price": [1.0, 2.0, None, 4.0]})
    known = np.ones(4, bool)
    assert item_documents(items, FeatureSettings(bins=2), known) == {"price": [["below 2"], ["from 2"], [], ["from 2"]]}
    assert item_documents(items, FeatureSettings(bins=0), known) == {}


def test_a_column_counts_by_its_weight() -> None:
    known = np.ones(2, bool)
    documents = {"genres": [["a"], ["a"]], "title": [["b"], ["b"]]}
    rules = FeatureSettings(max_items_share=1, column_weights={"genres": 3, "tags": 0})
    columns = [fit_terms(name, texts, known, rules) for name, texts in documents.items()]
    rows = unit_rows([column for column in columns if column], 2).toarray()
    np.testing.assert_allclose(rows, [[3 / math.sqrt(10), 1 / math.sqrt(10)]] * 2, rtol=1e-6)
    assert fit_terms("tags", documents["title"], known, rules) is None
    with pytest.raises(ValidationError, match="the weight of genres is -1"):
        FeatureSettings(column_weights={"genres": -1})
