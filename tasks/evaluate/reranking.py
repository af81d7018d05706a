"""What the rules of the lists cost and gain, against the lists that a model would have given without them."""

import numpy as np

from recmodels.candidate_lists import LISTS, PLAIN
from recmodels.data import layout
from recmodels.metrics import diversity
from recmodels.metrics import ranking as metrics
from tasks.evaluate.summary import ListFigures, Reranking
from tasks.lists.reader import read_available, read_lists, read_truth
from tasks.store.paths import Night


def reranking(night: Night, name: str, k: int) -> Reranking:
    """NDCG, diversity and coverage of a candidate's lists, without the rules and with them."""
    users, truth = read_truth(night.prepared)
    available = read_available(night.prepared)
    terms = layout.read_terms(night.features / "train" / layout.TERMS, len(available))

    def measured(file: str) -> ListFigures:
        items = read_lists(night.toplists(name), users, k, file)
        variety = diversity.intra_list(items, terms)
        return ListFigures(
            ndcg=float(metrics.per_user(items, truth)["ndcg"].mean()),
            diversity=float(np.nanmean(variety)) if np.isfinite(variety).any() else None,
            coverage=metrics.coverage(items, int(available.sum())),
        )

    return Reranking(without_rules=measured(PLAIN), with_rules=measured(LISTS))
