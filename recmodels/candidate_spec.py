"""What a candidate's process is asked to do: a JSON file, read into types."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recmodels import registry
from recmodels.data.contexts import StoredContexts
from recmodels.data.dataset import Repeats
from recmodels.data.events import StoredEvents
from recmodels.data.layout import Split
from recmodels.data.site_tables import StoredTables
from recmodels.engine.choice import EngineChoice
from recmodels.errors import ConfigError
from recmodels.options import Device, FitOptions, WarmStart

if TYPE_CHECKING:
    from recmodels.data.dataset import Dataset
    from recmodels.warm_start import Changed


@dataclass(frozen=True)
class ListsSpec:
    """Which lists to write into `out`/lists.parquet: of the users in the holdout, or of all."""

    out: Path
    users: str  # "holdout" or "all"
    k: int
    min_history: int = 1
    repeats: Repeats = False
    rules: Path | None = None  # see recmodels.ranking.rerank; the lists without them go to `out`/plain.parquet
    unavailable: bool = False  # whether items that are not available may be listed
    by_domain: bool = True  # whether there are lists of each domain alone, on a site with several

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "ListsSpec":
        paths = {name: Path(raw[name]) for name in ("out", "rules") if raw.get(name) is not None}
        return cls(**raw | paths)


@dataclass(frozen=True)
class Earlier:
    """A model that a training may start from."""

    model: Path
    features: Path  # that it was trained on
    most_changed: float  # share of the data's rows, users or items beyond which the training starts from nothing


@dataclass(frozen=True)
class Spec:
    """What to do; as JSON, paths are strings."""

    features: Path
    split: Split
    recommender: str
    params: dict[str, Any]
    seed: int
    fit: bool  # whether to train, and write the model, or to read it
    model: Path
    lists: ListsSpec | None
    result: Path
    earlier: Earlier | None = None
    minutes: float | None = None  # a training in epochs ends with its best weights before then
    list_minutes: float | None = None  # what lists have after that
    windows: int = 1  # how many are measured: beside the holdout, so many less one within the training window
    window_days: float = 7
    models: dict[str, str] = field(default_factory=dict)  # folders of members that an ensemble takes as they are
    without: list[str] = field(default_factory=list)  # members that an ensemble leaves out
    bootstrap: int | None = None  # seed of the users that it is fitted on, see recmodels.exploration.bootstrap
    engine: EngineChoice | None = None  # what its work is given to; without one this process does it
    parts: Path | None = None  # folder of parts of trainings, which the engine works on
    device: Device = "auto"  # what the machines of a cluster compute on
    shared: Path | None = None  # folder of what this machine's trainings have in common, see recmodels.parted.shared
    gpus: int | None = None  # how many GPUs of a cluster it takes; all, if not given

    @classmethod
    def read(cls, path: Path) -> "Spec":
        """Raises ConfigError for a file that is not such a specification."""
        try:
            raw = json.loads(path.read_text())
            lists, earlier, engine = raw.pop("lists"), raw.pop("earlier", None), raw.pop("engine", None)
            raw |= {name: Path(raw[name]) for name in ("features", "model", "result")}
            raw |= {name: Path(raw[name]) for name in ("parts", "shared") if raw.get(name)}
            if earlier:
                earlier = Earlier(Path(earlier["model"]), Path(earlier["features"]), earlier["most_changed"])
            engine = EngineChoice(**engine) if engine else None
            return cls(**raw, lists=lists and ListsSpec.of(lists), earlier=earlier, engine=engine)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is no specification of a candidate: {error!r}.") from error

    def fit_options(self, listed: int = 0, start: WarmStart | None = None, spent: float = 0.0) -> FitOptions:
        """When the training ends, where a killed one resumes, what it starts from, and which members there are.

        Args:
            listed: how many users' lists come after it.
            start: what it starts from.
            spent: seconds of its time that are over before it begins: they are taken from those of the lists, and what
                is more than these from those of the training.
        """
        minutes, list_minutes = self.minutes, self.list_minutes
        if minutes is not None and list_minutes is not None:
            minutes = max(0.0, minutes + min(0.0, list_minutes - spent / 60))
            list_minutes = max(0.0, list_minutes - spent / 60)
        options = FitOptions(
            minutes=minutes,
            listed=listed,
            list_minutes=list_minutes,
            checkpoint=self.result.with_suffix(".checkpoint"),
            members={name: Path(folder) for name, folder in self.models.items()},
            without=tuple(self.without),
            warm_start=start,
            parts=self.parts if self.engine else None,
            device=self.device,
            gpus=self.gpus,
            site=StoredTables(self.features),
            events=StoredEvents.found(self.features, self.split),
            contexts=StoredContexts.found(self.features, self.split),
        )
        return registry.fit_options(self.recommender, self.params, options)

    def warm_start(self, data: "Dataset") -> "tuple[WarmStart | None, Changed | None]":
        """What the training on `data` starts from, if there is anything, and what has changed since then."""
        if self.earlier is None:
            return None, None
        from recmodels.warm_start import changed, load_warm_start

        between = self.earlier.features, self.features, self.split, self.shared
        start = load_warm_start(self.earlier.model, *between)
        found = changed(start, data, *between)
        return (start if found.most()[1] <= self.earlier.most_changed else None), found

    def of_backtest(self, window: int) -> "Spec":
        """The same for an earlier window: it starts from nothing that has seen what the window measures."""
        result = self.result.with_stem(f"{self.result.stem}-window{window}")  # and so a checkpoint of its own
        return replace(self, result=result, models={}, earlier=None)
