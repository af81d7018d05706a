"""Terms weighted by how often they are there, how few items have them, and what their column counts."""

import math

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tasks.features.documents import Documents, item_documents
from tasks.features.settings import FeatureSettings
from tasks.features.terms import fit_terms, unit_rows
from tasks.features.tokens import stop_words, words


def test_function_words_of_the_named_languages_are_left_out() -> None:
    assert words("The fox and the hen", stop=stop_words(["en"])) == ["fox", "hen"]
    assert words("Der Fuchs und the hen", stop=stop_words(["de"])) == ["fuchs", "the", "hen"]
    assert stop_words([]) == frozenset()
    items = pa.table({"title": ["and fox", "and fox"]})
    documents = item_documents(items, FeatureSettings(stop_words=["en", "de"]), np.ones(2, bool))
    assert documents["title"].names == ["fox"]
    with pytest.raises(ValidationError, match="no stop words for 'english'; give codes such as en"):
        FeatureSettings(stop_words=["english"])


def test_a_column_counts_by_its_weight() -> None:
    known = np.ones(2, bool)
    documents = {name: Documents.of_lists([[term], [term]]) for name, term in (("genres", "a"), ("title", "b"))}
    rules = FeatureSettings(max_items_share=1, column_weights={"genres": 3, "tags": 0})
    columns = [fit_terms(name, texts, known, rules) for name, texts in documents.items()]
    rows = unit_rows([column for column in columns if column], 2).toarray()
    np.testing.assert_allclose(rows, [[3 / math.sqrt(10), 1 / math.sqrt(10)]] * 2, rtol=1e-6)
    assert fit_terms("tags", documents["title"], known, rules) is None
    with pytest.raises(ValidationError, match="the weight of genres is -1"):
        FeatureSettings(column_weights={"genres": -1})


@pytest.mark.parametrize(("most", "expected"), [(9, ["a", "b", "c"]), (2, ["a", "b"]), (1, ["b"])])
def test_the_most_frequent_terms_are_kept_by_their_uses_in_known_items(most: int, expected: list[str]) -> None:
    documents = Documents.of_lists([["a", "b", "b"], ["b", "c", "a"], ["c"], ["c", "c", "c", "d"]])
    known = np.array([True, True, True, False])
    rules = FeatureSettings(max_items_share=1, max_terms=most)
    column = fit_terms("title", documents, known, rules)
    assert column is not None and column.names == expected
    assert column.document_frequency.tolist() == [2] * len(expected)
    idf = math.log(4 / 3) + 1
    place = expected.index("b")
    np.testing.assert_allclose(
        column.weights[:, [place]].toarray().ravel(), [(1 + math.log(2)) * idf, idf, 0, 0], rtol=1e-6
    )
    assert fit_terms("title", documents, known, FeatureSettings(min_items_per_term=3)) is None
