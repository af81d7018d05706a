"""What is trained of a model that is too large for a machine as it is: a leaner form of it, or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recmodels.base import Recommender
from recmodels.registry import create
from tasks.estimates.formulas import ModelCost
from tasks.train.process import IN_TIME
from tasks.train.settings import Candidate

GIB = 2**30
SURE = 1.3  # how much more than its limit a time must be to count as more: estimates are within 30 %
A_MOMENT = 1.0  # minutes up to which a training is tried, whatever it has
FAR = 3.0  # how much more for a model to be left out


@dataclass(frozen=True)
class Limits:
    """What a candidate has: bytes, None where it is not known; and threads."""

    memory: int | None
    threads: int


@dataclass(frozen=True)
class Route:
    """A candidate as it is to be trained, what it takes then, and why it is not as it was configured.

    Attributes:
        candidate: None where it is left out.
        cost: of the candidate, or of what was left out.
        why: a clause about the model; None where it is trained as it is.
    """

    candidate: Candidate | None
    cost: ModelCost
    why: str | None = None


def route(
    name: str, candidate: Candidate, cost_of: Callable[[Recommender], ModelCost], limits: Limits, needed: bool = False
) -> Route:
    """The first form of a candidate that fits: as it is, or one of the leaner ones that its owner has not ruled out.

    Args:
        name: of the candidate.
        candidate: as it is configured.
        cost_of: what a model takes.
        limits: what it may take.
        needed: whether it is tried in any case.
    """
    model = _model(name, candidate)
    cost = cost_of(model)
    if (too_much := excess(cost, candidate, limits)) is None:
        return Route(candidate, cost)
    forms = [(changes, _with(candidate, changes)) for changes in model.leaner]
    leaner = [(changes, one, cost_of(_model(name, one))) for changes, one in forms]
    fitting = [found for found in leaner if excess(found[2], found[1], limits) is None]
    free = [found for found in fitting if not found[0].keys() & candidate.parameters.keys()]
    if free:
        changes, one, its_cost = free[0]
        return Route(one, its_cost, f"is trained with {_text(changes)}: as it is, {too_much}")
    if not _hopeless(cost, candidate, limits):
        return Route(candidate, cost)
    if needed:
        return Route(candidate, cost, f"is tried all the same, as the night needs it: {too_much}")
    advice = f"{_text(fitting[0][0])} would fit" if fitting else _more(cost, limits)
    return Route(None, cost, f"is left out: {too_much}; {advice}")


def _model(name: str, candidate: Candidate) -> Recommender:
    return create(candidate.recommender or name, candidate.parameters, note=False)


def _with(candidate: Candidate, changes: Mapping[str, object]) -> Candidate:
    return candidate.model_copy(update={"parameters": {**candidate.parameters, **changes}})


def _text(changes: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in changes.items())


def _more(cost: ModelCost, limits: Limits) -> str:
    """What it would take."""
    if limits.memory is not None and cost.memory > limits.memory:
        return f"a machine with {cost.memory / GIB:,.0f} GiB would do"
    return "give it more of them, or more cores"


def excess(cost: ModelCost, candidate: Candidate, limits: Limits, times: float = SURE) -> str | None:
    """What of a candidate is more than there is, as a clause; None where it fits."""
    if limits.memory is not None and cost.memory > limits.memory:
        there = f"{limits.memory / GIB:.1f} GiB are planned with"
        return f"it takes about {cost.memory / GIB:.1f} GiB of memory, and {there}"
    if not cost.known:
        return None
    most = candidate.timeout_minutes
    if cost.rounds > 1:
        least, given = cost.first_round(limits.threads) / 60, IN_TIME * most
        until = f"it takes about {least:,.0f} minutes to its first end, of the {most:g} of timeout_minutes"
    else:
        least, given = cost.candidate(limits.threads) / 60, most
        until = f"it takes about {least:,.0f} minutes, of the {most:g} of timeout_minutes"
    return until if least > max(times * given, A_MOMENT) else None


def _hopeless(cost: ModelCost, candidate: Candidate, limits: Limits) -> bool:
    """Whether there is no point in trying. A training that ends by its minutes is always worth them."""
    by_time = FAR if cost.rounds == 1 else float("inf")
    return excess(cost, candidate, limits, by_time) is not None
