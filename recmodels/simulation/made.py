"""Policies from their specification: how the process of a policy makes what it is to follow."""

from dataclasses import replace

from recmodels.simulation.behavior import Behavior
from recmodels.simulation.policies import Explored, Oracle, Policy, Random, Reranking, Trained
from recmodels.simulation.program_spec import PolicySpec, Recipe


def made(spec: PolicySpec, behavior: Behavior) -> Policy:
    """The policy that a specification describes, on the very `behavior` that is simulated.

    Raises:
        ConfigError: there is no such recommender, or a value is not legal.
    """
    rules = Reranking(**spec.rules)
    policy = _ranking(spec, rules, behavior)
    if not spec.epsilon:
        return policy
    others = [_trained(name, recipe, rules) for name, recipe in spec.proposers.items() if name != spec.name]
    return Explored(policy, [policy, *others], spec.epsilon, slot=spec.slot, choose=spec.choose, name=spec.name)


def _ranking(spec: PolicySpec, rules: Reranking, behavior: Behavior) -> Policy:
    if spec.model == "random":
        return Random(spec.name)
    if spec.model == "oracle" or spec.recipe is None:
        return Oracle(behavior, spec.name)
    return _trained(spec.name, spec.recipe, rules)


def _trained(name: str, recipe: Recipe, rules: Reranking) -> Policy:
    return Trained(recipe.recommender, recipe.parameters, name=name, rules=rules if _changes(rules) else None)


def _changes(rules: Reranking) -> bool:
    """Whether there is any rule beyond a model's own order; how many items one chooses from is none."""
    return replace(rules, pool=Reranking.pool, new_days=Reranking.new_days) != Reranking()
