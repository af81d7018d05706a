import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from recmodels.content import Content
from recmodels.dataset import Dataset
from recmodels.errors import DataRefused
from tests.recmodels.contract import N_ITEMS, NEWCOMER, RecommenderContract, small_site


class TestContent(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Content:
        return Content()


def test_score_is_the_cosine_between_item_and_profile() -> None:
    data = small_site()
    profiles = data.matrix.toarray() @ data.terms.toarray()
    expected = cosine_similarity(profiles, data.terms.toarray())
    users = np.arange(NEWCOMER)
    top = Content().fit(data).recommend(data, users, N_ITEMS)
    user, place = np.nonzero(top.items >= 0)
    np.testing.assert_allclose(top.scores[user, place], expected[user, top.items[user, place]], atol=1e-6)


def test_items_without_a_common_term_are_not_recommended() -> None:
    terms = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    data = Dataset.from_arrays([0], [0], terms=terms, n_items=3)
    model = Content().fit(data)
    top = model.recommend(data, np.array([0]), 3)
    assert top.items.tolist() == [[1, -1, -1]]
    assert model.explain(data, np.array([0]), top).tolist() == [[0, -1, -1]]


def test_a_catalogue_without_terms_is_refused() -> None:
    with pytest.raises(DataRefused, match="no terms"):
        Content().fit(Dataset.from_arrays([0], [0]))
