"""Which recommenders there are, by name. Their modules are imported when one is asked for, and no earlier."""

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from recmodels import plugins
from recmodels.base import Recommender
from recmodels.errors import ConfigError
from recmodels.options import DEFAULTS, FitOptions
from recmodels.parameters import check, current

_CLASSES = {
    "popularity": "recmodels.popularity:Popularity",
    "item_knn": "recmodels.knn.item_knn:ItemKNN",
    "user_knn": "recmodels.knn.user_knn:UserKNN",
    "transitions": "recmodels.knn.transitions:Transitions",
    "personal_frequency": "recmodels.knn.personal_frequency:PersonalFrequency",
    "tifu_knn": "recmodels.knn.tifu:TIFUKNN",
    "bpr": "recmodels.factors.bpr:BPR",
    "mf": "recmodels.factors.mf:MF",
    "als": "recmodels.factors.als:ALS",
    "ease": "recmodels.linear.ease:EASE",
    "graph_filter": "recmodels.linear.graph_filter:GraphFilter",
    "transformer": "recmodels.transformer.model:Transformer",
    "hybrid": "recmodels.pairwise.hybrid:Hybrid",
    "embedding": "recmodels.pairwise.hybrid:Embedding",
    "ncf": "recmodels.pairwise.ncf:NCF",
    "content": "recmodels.content:Content",
    "apart": "recmodels.apart:Apart",
    "ensemble": "recmodels.ensemble.model:Ensemble",
}


def names() -> list[str]:
    """The names of all recommenders: nightrec's own, and those that installed packages register."""
    return [*_CLASSES, *(name for name in plugins.registered() if name not in _CLASSES)]


def create(
    name: str, params: Mapping[str, Any] | None = None, *, seed: int | None = None, note: bool = True
) -> Recommender:
    """A recommender that has not been fitted yet; `seed` goes to those that draw random numbers.

    Parameters of former names are understood; with `note` the log says what they are called now.

    Raises:
        ConfigError: there is no recommender or parameter of that name, or a value is not legal.
    """
    kind = kind_of(name)
    given = current(kind, params or {}, name, note=note)
    accepted = [field.name for field in fields(kind) if field.init]
    for parameter in given:
        _known(parameter, accepted, f"parameter of {name}")
    check(kind, given, name)
    if seed is not None and "seed" in accepted:
        given.setdefault("seed", seed)
    model = kind(**given)
    model._check()
    return model


def fit_options(name: str, params: Mapping[str, Any], options: FitOptions = DEFAULTS) -> FitOptions:
    """The options of a training, with those that `params` still say as if they were hyper-parameters."""
    given = {
        option: params[option]
        for option in ("minutes", "checkpoint_minutes")
        if option in kind_of(name).moved and option in params
    }
    return replace(options, **{option: value for option, value in given.items() if value is not None})


def kind_of(name: str) -> type[Recommender]:
    """The class of a recommender, by its name or as `module:Class`. Raises ConfigError where there is none."""
    if name in _CLASSES:
        module, cls = _CLASSES[name].split(":")
        kind: type[Recommender] = getattr(import_module(module), cls)
        return kind
    if ":" in name:
        return plugins.class_at(name)
    _known(name, names(), "recommender")
    return plugins.class_at(plugins.registered()[name])


def is_registered(name: str) -> bool:
    """Whether a name that a stored file gives may be imported: it has a name, or was asked for in this process."""
    return name in _CLASSES or name in plugins.registered() or plugins.imported(name)


def name_of(kind: type[Recommender]) -> str:
    """The name that `create` knows a class by: `module:Class` for one that is not registered."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, known in _CLASSES.items() if known == path), None) or next(
        (name for name, known in plugins.registered().items() if known == path), path
    )


def _known(name: str, choices: Mapping[str, str] | list[str], what: str) -> None:
    if name in choices:
        return
    near = get_close_matches(name, choices, n=1, cutoff=0.4)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(choices) or 'none'}."
    raise ConfigError(f"Unknown {what}: {name!r}; {advice}")
