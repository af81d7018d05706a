"""Which behavior models there are, by name: nightrec's own, a site's class as `module:Class`, and those of packages.

A package registers one with an entry point:

    [project.entry-points."nightrec.behaviors"]
    families = "shop.people:Families"

The class derives from `Behavior`, and is called with `users`, `items`, `nights` and `seed`, and the parameters of the
settings. For simulations of a site's own users it has a class method `fitted` with `people` in place of the numbers.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recmodels import plugins
from recmodels.errors import ConfigError
from recmodels.messages import short
from recmodels.simulation import market_file
from recmodels.simulation.behavior import Behavior
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.people import People

GROUP = "nightrec.behaviors"
OWN = "nightrec"


def create(
    model: str,
    parameters: Mapping[str, Any],
    *,
    users: int,
    items: int,
    nights: int,
    seed: int,
    people: People | None = None,
    kept: Path | None = None,
) -> Behavior:
    """A behavior model, as it is before the first night.

    Args:
        model: its name.
        parameters: what it assumes.
        users, items: how many there are in the end, where they are invented.
        nights: for how many nights there are new ones.
        seed: of all that is drawn.
        people: those of a site, to be fitted to.
        kept: the file for what is fitted, for others who begin with the same.

    Raises:
        ConfigError: there is no such model or parameter, a value is not legal, or it cannot be fitted.
    """
    if model == OWN:
        settings = MarketSettings(**_known(parameters))
        if people is None:
            return Market.generated(settings, users, items, seed, nights)
        if kept is not None and kept.is_file():
            return market_file.load(kept)
        market = Market.fitted(people.data, settings, seed, nights, texts=people.texts, category=people.category)
        if kept is not None:
            market_file.save(market, kept)
        return market
    kind = class_of(model)
    try:
        if people is None:
            return kind(users=users, items=items, nights=nights, seed=seed, **parameters)  # type: ignore[call-arg]
        return fitting(kind, model)(people=people, nights=nights, seed=seed, **parameters)
    except TypeError as error:
        raise ConfigError(f"{model} cannot be made: {error}; see simulate.behavior.") from error


def check(model: str, parameters: Mapping[str, Any], fitted: bool) -> None:
    """Check a behavior model before anything is begun.

    Raises:
        ConfigError: there is no such model or parameter, a value is not legal, or it cannot be fitted to a site.
    """
    if model == OWN:
        MarketSettings(**_known(parameters))
    elif fitted:
        fitting(class_of(model), model)
    else:
        class_of(model)


def class_of(model: str) -> type[Behavior]:
    """The class of a behavior model that is not nightrec's own, imported.

    Raises:
        ConfigError: there is no such class, it cannot be imported, or it is no behavior model.
    """
    registered = plugins.registered(GROUP)
    if ":" not in model and model not in registered:
        near = get_close_matches(model, [OWN, *registered], n=1, cutoff=0.4)
        advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join([OWN, *registered])}."
        raise ConfigError(f"Unknown behavior model: {short(repr(model))}; {advice}")
    path = registered.get(model, model)
    kind = plugins.object_at(path)
    if not (isinstance(kind, type) and issubclass(kind, Behavior)):
        raise ConfigError(f"{path} is no behavior model: derive the class from recmodels.simulation.behavior.Behavior.")
    if inspect.isabstract(kind):
        raise ConfigError(f"{path} is not complete: write {', '.join(sorted(kind.__abstractmethods__))}.")
    return kind


def fitting(kind: type[Behavior], model: str) -> Callable[..., Behavior]:
    """What makes a behavior model of a site's own users.

    Raises:
        ConfigError: the class has nothing that does.
    """
    fitted: Callable[..., Behavior] | None = getattr(kind, "fitted", None)
    if fitted is None:
        raise ConfigError(
            f"{model} cannot be fitted to a site: give it a class method `fitted`, or simulate without --from-store."
        )
    return fitted


def _known(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of nightrec's own model; ConfigError for one that it does not have."""
    names = [field.name for field in fields(MarketSettings)]
    for name in parameters:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.4)
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}."
            raise ConfigError(f"simulate.behavior.parameters: there is no {short(repr(name))}; {advice}")
    return dict(parameters)
