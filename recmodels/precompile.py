"""Compile the kernels ahead of the first night: `python -m recmodels.precompile`.

Numba keeps the machine code, so that this takes half a minute once, and no fit has to wait for it.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recmodels import registry
from recmodels.data.arrays import empty_matrix
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.factors.als import ALS
from recmodels.fallback import serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.graph_filter import GraphFilter
from recmodels.options import FitOptions, WarmStart
from recmodels.popularity import Popularity
from recmodels.ranking import topk, topk_kernels
from recmodels.ranking.cells import make_cells, top_in_cells
from recmodels.ranking.product_search import SearchedItems
from recmodels.ranking.rerank import Rules
from recmodels.scoring import kernels, term_kernels
from recmodels.scoring.ratings import RatingPredictor

FURTHER = (
    ("item_knn", {"weighting": "pearson"}),
    ("user_knn", {"weighting": "jaccard"}),
    ("ease", {"method": "approximate"}),
)  # kernels of their own


def main() -> None:
    """Fit each model to a few made-up ratings, make lists, and explain them."""
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 30)) < 0.3)
    ratings = rng.integers(1, 6, len(users)).astype(np.float32)
    data = Dataset.from_arrays(users, items, rating=ratings, n_users=40, n_items=30)
    for name, parameters in (*((name, {}) for name in registry.names()), *FURTHER):
        try:
            model = registry.create(name, parameters, seed=0).fit(data)
        except NightrecError:
            continue  # nothing in these data that it could learn from
        model.explain(data, np.arange(40), model.recommend(data, np.arange(40), 5))
        with suppress(NightrecError):  # not every model has a similarity
            model.similar_items(np.arange(30), 5)
        if isinstance(model, RatingPredictor):
            model.predict(data, data.user_index[:5], data.item_index[:5])
    GraphFilter().fit(data)._score(data, np.zeros(1, np.int32))  # as a member of an ensemble
    rows = {"users": np.arange(40, dtype=np.int32), "items": np.arange(30, dtype=np.int32)}
    ItemKNN().fit(data, FitOptions(warm_start=WarmStart(ItemKNN().fit(data), rows)))
    with TemporaryDirectory() as folder:
        ALS(iterations=1).fit(data, FitOptions(parts=Path(folder)))
    everybody = np.arange(40, dtype=np.int32)
    rules = Rules(allowed=np.ones(30, bool), relevance_weight=0.5)
    popular = Popularity().fit(data)
    for prices in (None, np.zeros(30, np.float32)):
        serve(popular, popular, data, everybody, 5, rules=replace(rules, prices=prices))
    vectors = rng.random((30, 4), dtype=np.float32)
    top_in_cells(vectors, make_cells(SearchedItems(vectors), vectors, 0), 1.0, 5, empty_matrix(30, 30))
    topk.top_k(np.zeros((1, topk.COMPILED_FROM), np.float32), 5)
    best, places = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int32)
    topk_kernels.rank_proposed(places[0], places, vectors[:1], vectors, places[0], places.copy(), best)
    scores, terms = np.zeros((1, 30), np.float32), empty_matrix(30, 4)
    kernels.add_product(kernels.parts(empty_matrix(1, 4)), kernels.parts(empty_matrix(4, 30)), scores, 0)
    term_kernels.add_dense_product(np.zeros((4, term_kernels.USERS), np.float32), kernels.parts(terms), scores, 0)
    rest = np.zeros(30, np.float32), np.ones(1, np.float32), np.ones(1, bool), np.zeros(30, np.float32)
    term_kernels.finish_scores(scores, 0, 1, *rest)


if __name__ == "__main__":
    main()
