"""What a simulation does, decided from the settings of a site before it begins: it can be run again from this alone."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from recmodels.errors import ConfigError
from recmodels.messages import short
from recmodels.registry import create
from tasks.compare.champion import field
from tasks.exploration.settings import ExplorationSettings
from tasks.lists.settings import ListSettings
from tasks.simulate.settings import CHAMPION, ORACLE, RANDOM, BehaviorSettings, PolicySettings, SimulateSettings
from tasks.store.paths import Night
from tasks.train.settings import Candidate

EXPLORED, RERANKED = "explored", "reranked"
EPSILON = 0.2
"""Share of the lists that explore where it is tried out: off-policy values are worth the more, the larger it is."""
CALIBRATION = 0.2
"""What re-ranking is tried out with: nights have shown that it costs next to nothing (docs/lists.md)."""


class Recipe(BaseModel):
    """A recommender and its hyper-parameters."""

    model_config = ConfigDict(extra="forbid")

    recommender: str
    parameters: dict[str, Any] = {}


class RulesPlan(BaseModel):
    """The rules of lists that a simulation follows, as `[export]` has them; of the others it knows nothing."""

    model_config = ConfigDict(extra="forbid")

    relevance_weight: float
    calibration: float
    popularity_damping: float
    max_per_category: int | None
    new_share: float
    new_days: float
    pool: int

    @classmethod
    def of(cls, lists: ListSettings) -> Self:
        return cls(**{name: getattr(lists, name) for name in cls.model_fields})


class PolicyPlan(BaseModel):
    """What a policy does.

    Attributes:
        model: what ranks: a recommender, items at random, or what users truly like best.
        recipe: of the recommender.
        rules: that its lists are chosen by.
        epsilon: share of its lists that explore.
        slot, choose: which place is drawn, and how.
        proposers: the models that propose what is explored, by name.
        retrain_every: nights between two trainings; None: only once.
        says: what it is, to end a sentence with.
    """

    model_config = ConfigDict(extra="forbid")

    model: Literal["trained", "random", "oracle"] = "trained"
    recipe: Recipe | None = None
    rules: RulesPlan
    epsilon: float = 0.0
    slot: int | None = None
    choose: Literal["uniform", "linucb", "thompson"] = "uniform"
    proposers: dict[str, Recipe] = {}
    retrain_every: int | None = 1
    says: str = ""


class Plan(BaseModel):
    """What a simulation does. `reference`: the policy that all others are compared with."""

    model_config = ConfigDict(extra="forbid")

    from_store: bool
    nights: int
    users: int
    items: int
    k: int
    repeats: bool
    seed: int
    repetitions: int
    checkpoint_nights: int
    behavior: BehaviorSettings
    reference: str
    policies: dict[str, PolicyPlan] = Field(min_length=1)

    def differs_from(self, other: Mapping[str, Any]) -> str | None:
        """The first thing in which another plan, as it was written down, is another; None where none is.

        How often a state is saved changes no result.
        """
        for name, value in self.model_dump(mode="json", exclude={"checkpoint_nights"}).items():
            if name == "policies":
                before = other.get(name) or {}
                if changed := next((one for one in {**before, **value} if before.get(one) != value.get(one)), None):
                    return f"the policy {changed} is another"
            elif other.get(name) != value:
                return f"{name} is {short(str(value))}, and was {short(str(other.get(name)))}"
        return None


def planned(
    settings: SimulateSettings,
    candidates: Mapping[str, Candidate],
    lists: ListSettings,
    exploration: ExplorationSettings,
    night: Night | None,
    chosen: list[str] | None = None,
) -> Plan:
    """What a simulation with some settings does.

    Args:
        settings: of it.
        candidates: those that compete on nights.
        lists: the rules of the lists that are published.
        exploration: of those lists.
        night: the last one, for a simulation of the site itself; None for an invented market.
        chosen: the policies that are wanted; all that are configured without.

    Raises:
        ConfigError: there is no such policy or model, or a hyper-parameter is not legal.
    """
    there, champion = dict(candidates), None
    if night is not None:
        there, incumbent, _ = field(there, night.store, night.run_date.max)
        champion = incumbent.name if incumbent and incumbent.name in there else None
    known = {
        name: Recipe(recommender=one.recommender or name, parameters=one.parameters) for name, one in there.items()
    }
    usual = PolicyPlan(
        rules=RulesPlan.of(lists),
        epsilon=exploration.epsilon if night is not None else 0.0,
        slot=exploration.slot,
        choose=exploration.choose,
        retrain_every=settings.retrain_every or None,
    )
    wanted = _wanted(settings, known, champion, usual, chosen)
    policies = {name: _resolved(name, one, known, champion, usual) for name, one in wanted.items()}
    for policy in policies.values():
        if policy.recipe is not None:
            create(policy.recipe.recommender, policy.recipe.parameters)
        if policy.epsilon:
            policy.proposers = {name: recipe for name, recipe in known.items() if recipe != policy.recipe}
    return Plan(
        from_store=night is not None,
        nights=settings.nights,
        users=settings.users,
        items=settings.items,
        k=settings.k or lists.k,
        repeats=lists.repeats is True,  # of its users nobody knows intervals
        seed=settings.seed,
        repetitions=settings.repetitions,
        checkpoint_nights=settings.checkpoint_nights,
        behavior=settings.behavior,
        reference=next(iter(policies)),
        policies=policies,
    )


def _wanted(
    settings: SimulateSettings,
    known: Mapping[str, Recipe],
    champion: str | None,
    usual: PolicyPlan,
    chosen: list[str] | None,
) -> dict[str, PolicySettings]:
    """The policies by name, that which the others are compared with first: the champion, else the first one."""
    named = dict(settings.policies) or dict.fromkeys(known, PolicySettings())
    if champion is not None:
        if not settings.policies:
            explored, reranked = PolicySettings(model=champion, epsilon=EPSILON), PolicySettings(model=champion)
            reranked.calibration = CALIBRATION if usual.rules.calibration == 0 else 0.0
            named |= {f"{champion}_{EXPLORED}": explored, f"{champion}_{RERANKED}": reranked}
        if chosen is not None:
            named = _chosen(named, known, chosen)
        is_it = (name for name, one in named.items() if _is_plain(one, name, champion))
        free = (name for name in (champion, CHAMPION, f"{CHAMPION}_now") if name not in named)
        name = next(is_it, None) or next(free)
        return {name: named.pop(name, PolicySettings(model=CHAMPION)), **named}
    return named if chosen is None else _chosen(named, known, chosen)


def _is_plain(one: PolicySettings, name: str, champion: str) -> bool:
    """Whether a policy is the champion as it is."""
    return one.model_dump(exclude={"model"}, exclude_defaults=True) == {} and (one.model or name) in (
        champion,
        CHAMPION,
    )


def _chosen(
    named: Mapping[str, PolicySettings], known: Mapping[str, Recipe], chosen: list[str]
) -> dict[str, PolicySettings]:
    """Only those that are named: policies, candidates, recommenders, random or oracle."""
    return {name: named.get(name, PolicySettings(model=name)) for name in dict.fromkeys(chosen)}


def _resolved(
    name: str, given: PolicySettings, known: Mapping[str, Recipe], champion: str | None, usual: PolicyPlan
) -> PolicyPlan:
    """A policy with all that its settings leave open."""
    changed = given.model_dump(exclude_none=True, exclude={"model", "parameters"})
    rules = {rule: changed.pop(rule) for rule in RulesPlan.model_fields if rule in changed}
    if "retrain_every" in changed:
        changed["retrain_every"] = changed["retrain_every"] or None
    plan = usual.model_copy(update=changed | {"rules": usual.rules.model_copy(update=rules)})
    model = given.model or name
    if model == CHAMPION and CHAMPION not in known:
        if champion is None:
            raise ConfigError(
                f"simulate.policies.{name}: there is no champion, as nothing was published before; name a candidate, "
                "or run a night first and simulate with --from-store."
            )
        model = champion
    if model in (RANDOM, ORACLE) and model not in known:
        return plan.model_copy(update={"model": model, "says": _says(plan, usual, model)})
    recipe = known.get(model) or Recipe(recommender=model)
    recipe = Recipe(recommender=recipe.recommender, parameters=recipe.parameters | given.parameters)
    says = _says(plan, usual, f"{model}, the champion" if model == champion else model)
    return plan.model_copy(update={"recipe": recipe, "says": says})


def _says(plan: PolicyPlan, usual: PolicyPlan, model: str) -> str:
    """What a policy is in a few words: its model, and what is done otherwise than by nights."""
    now, before = ({**one.rules.model_dump(), "exploration": one.epsilon} for one in (plan, usual))
    others = [f"{name.replace('_', ' ')} {now[name]}" for name in now if now[name] != before[name]]
    if plan.choose != usual.choose:
        others.append(f"proposals by {plan.choose}")
    said = f"{model} with {', '.join(others)}" if others else model
    if plan.retrain_every == usual.retrain_every:
        return said
    return f"{said}, trained {'once' if plan.retrain_every is None else f'every {plan.retrain_every} nights'}"
