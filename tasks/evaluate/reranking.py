"""What the rules of the lists cost and gain, beside the lists that a model would have given without them."""

import numpy as np

from recmodels.candidate import LISTS, PLAIN
from recmodels.data import layout
from recmodels.metrics import diversity
from recmodels.metrics import ranking as metrics
from tasks.lists.reader import read_available, read_lists, read_truth
from tasks.store.files import Json
from tasks.store.paths import Night


def reranking(night: Night, name: str, k: int) -> Json:
    """NDCG, diversity and coverage of a candidate's lists ``with`` the rules and ``without`` them."""
    users, truth = read_truth(night.prepared)
    available = read_available(night.prepared)
    terms = layout.read_terms(night.features / "train" / layout.TERMS, len(available))
    found: Json = {}
    for when, file in (("without", PLAIN), ("with", LISTS)):
        items = read_lists(night.toplists(name), users, k, file)
        variety = diversity.intra_list(items, terms)
        found[when] = {
            "ndcg": float(metrics.per_user(items, truth)["ndcg"].mean()),
            "diversity": float(np.nanmean(variety)) if np.isfinite(variety).any() else None,
            "coverage": metrics.coverage(items, int(available.sum())),
        }
    return found


def effect(found: Json) -> str:
    """The rules' cost and gain in one clause."""
    before, after = found["without"], found["with"]
    figures = [f"{name} {before[name]:.4f} to {after[name]:.4f}" for name in before if before[name] is not None]
    return f"by the rules: {', '.join(figures)}".replace("ndcg", "NDCG")
