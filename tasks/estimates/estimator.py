"""What the stages and models of a night will take on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from recmodels.base import Recommender
from tasks.estimates.counts import Counts
from tasks.estimates.formulas import Cost, ModelCost, model_cost, stage_cost
from tasks.estimates.measured import Measured, measured
from tasks.estimates.probe import probe
from tasks.estimates.speeds import Pace, Speeds, fitted
from tasks.store.paths import Night, Store


@dataclass(frozen=True)
class Estimator:
    """Speeds of a machine of reference, and how this one, or this site, differs.

    `general` is how many times as long this machine takes for what none of the nights has measured. `follows`: whether
    the estimates are of a night that follows another, rather than of one that starts from nothing.
    """

    speeds: Speeds
    nights: Measured
    general: float = 1.0
    follows: bool = False

    @classmethod
    def of_store(cls, store: Store, cores: int, before: Night | None = None, *, probed: bool = False) -> "Estimator":
        """By what the last nights of a store took; where it has none, by a probe of this machine, if one is asked for.

        Args:
            store: may be empty.
            cores: of this machine.
            before: only nights before this one count.
            probed: whether to measure this machine where no night has.
        """
        speeds = fitted()
        nights = measured(store, speeds, cores, before)
        if ratios := nights.ratios or nights.following:
            return cls(speeds, nights, median(ratios.values()))
        return cls(speeds, nights, probe() / speeds.machine.probe if probed else 1.0)

    @property
    def by(self) -> str:
        """By what the times were scaled: a sentence."""
        if self.nights.by:
            nights = f"night{'s' * (len(self.nights.by) > 1)} {', '.join(self.nights.by)}"
            return f"Times are scaled by what the {nights} took here."
        return (
            f"Times are scaled by a short probe of this machine: it takes {self.general:.2g} times as long as the one "
            "that was measured. After a first night they follow from what that took."
        )

    @property
    def of_following(self) -> "Estimator | None":
        """The same for a night that follows another; None where no such night was measured."""
        return None if self.speeds.following is None else replace(self, follows=True)

    @property
    def _pace(self) -> Pace:
        return self.speeds.following if self.follows and self.speeds.following is not None else self.speeds

    @property
    def _ratios(self) -> Mapping[str, float]:
        """What a night that follows another has not measured, one that starts from nothing may have."""
        return {**self.nights.ratios, **self.nights.following} if self.follows else self.nights.ratios

    def stage(self, name: str, counts: Counts) -> Cost:
        """Of a stage; nothing of one that was never measured."""
        if name not in self._pace.stages:
            return Cost(0.0, 0.0, 0)
        cost = stage_cost(name, self._pace.stages[name], counts)
        return replace(cost, cpu=cost.cpu * self._ratios.get(name, self.general))

    def model(self, name: str, counts: Counts, model: Recommender) -> ModelCost:
        """Of a candidate; it is known where it, or one that works like it, was measured anywhere."""
        cost, ratios = model_cost(model, self._pace, counts), self._ratios
        here = f"fit {name}" in ratios
        general = self.general if cost.known else 1.0
        fit, lists = (ratios.get(f"{part} {name}", general) for part in ("fit", "lists"))
        load = cost.load * self.general
        return replace(cost, load=load, fit=cost.fit * fit, lists=cost.lists * lists, known=cost.known or here)
