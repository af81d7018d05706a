"""What the rules of the lists cost and gain, against the lists that a model would have given without them."""

from recmodels.candidate_lists import LISTS, PLAIN, read_lists, read_truth
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.ranking.rerank import Rules
from tasks.evaluate.summary import Reranking
from tasks.evaluate.yardstick import Steered, figures_of
from tasks.lists.reader import read_available
from tasks.lists.rules import FILE
from tasks.lists.settings import ListSettings
from tasks.store.paths import Night
from tasks.train.settings import EvaluationSettings


def reranking(night: Night, name: str, measured: EvaluationSettings, settings: ListSettings) -> Reranking:
    """The figures of a candidate's lists, without the rules and with them; those of what is steered only if it is."""
    users, truth = read_truth(night.prepared)
    available = read_available(night.prepared) | (measured.candidates == "all")
    terms = layout.read_terms(night.features / "train" / layout.TERMS, len(available))
    steered = None
    if settings.steers:
        rules, data = Rules.load(night.list_rules / FILE), Dataset.load(night.features, "train", users=users)
        steered = Steered.of(night, data, users, rules, settings.exposure.values if settings.exposure else [])
    plain, ruled = (
        figures_of(read_lists(night.toplists(name), users, measured.k, file), truth, available, terms, steered)
        for file in (PLAIN, LISTS)
    )
    return Reranking(without_rules=plain, with_rules=ruled)
