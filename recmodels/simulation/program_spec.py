"""What the process of a policy is asked to do: a JSON file, read into types."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recmodels.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """A recommender and its hyper-parameters."""

    recommender: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicySpec:
    """What a policy does.

    Attributes:
        name: its own chances follow from it.
        model: what ranks: a recommender (trained), items at random, or what users truly like best.
        recipe: of the recommender.
        rules: of lists, as `Reranking` has them.
        epsilon: share of the lists that explore.
        slot, choose: which place is drawn, and how.
        proposers: the models that propose what is explored, by name.
        retrain_every: nights between two trainings; None: only once.
    """

    name: str
    model: Literal["trained", "random", "oracle"]
    recipe: Recipe | None
    rules: dict[str, Any]
    epsilon: float
    slot: int | None
    choose: Literal["uniform", "linucb", "thompson"]
    proposers: dict[str, Recipe]
    retrain_every: int | None

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "PolicySpec":
        recipe = Recipe(**raw["recipe"]) if raw["recipe"] else None
        proposers = {name: Recipe(**one) for name, one in raw["proposers"].items()}
        return cls(**raw | {"recipe": recipe, "proposers": proposers})


@dataclass(frozen=True)
class Spec:
    """What to do; as JSON, paths are strings.

    Attributes:
        folder: of the policy, where its tables go.
        checkpoint: where what is not complete is kept.
        people: the file of a site's users; None where they are invented.
        behavior, parameters: the behavior model.
        users, items: how many are invented.
        nights, k, repeats: of the lists.
        seed: of the first run; each further run has the next one.
        repetitions: runs.
        checkpoint_nights: after so many nights the state is saved.
        policy: what decides on the lists.
        result: the file to write at the end.
    """

    folder: Path
    checkpoint: Path
    people: Path | None
    behavior: str
    parameters: dict[str, Any]
    users: int
    items: int
    nights: int
    k: int
    repeats: bool
    seed: int
    repetitions: int
    checkpoint_nights: int
    policy: PolicySpec
    result: Path

    @classmethod
    def read(cls, path: Path) -> "Spec":
        """Raises ConfigError for a file that is not such a specification."""
        try:
            raw = json.loads(path.read_text())
            raw |= {name: Path(raw[name]) for name in ("folder", "checkpoint", "result")}
            raw |= {"people": raw["people"] and Path(raw["people"]), "policy": PolicySpec.of(raw["policy"])}
            return cls(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is no specification of a simulation: {error!r}.") from error
