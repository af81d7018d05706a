"""The search for a model's hyper-parameters: on backtests before the holdout, and never as part of a night.

Each backtest is what a night would have seen some weeks ago: trained on what came before, measured on the days after.
All of them lie within a night's training split, so the holdout that candidates are compared on is not used. The
search is Optuna's; what it has tried is kept in the store as lines of JSON, so that it goes on where it was stopped,
and several processes can search at the same time.
"""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recmodels.engine.choice import EngineChoice
from recmodels.errors import ConfigError, EngineUnavailable, NightrecError
from recmodels.parameters import current
from recmodels.registry import create, kind_of
from recmodels.spaces import OneOf, Real, Space, including, space_of
from tasks.store.files import Json, digest, read_json
from tasks.store.paths import Night
from tasks.train.trials import Search, Trials, ndcg, trials_for

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Tuned:
    """What a search has found."""

    params: Json
    value: float
    default: float | None
    """Of what is configured; None where that could not be measured."""
    tried: int
    file: Path


def tune(
    night: Night,
    recommender: str,
    configured: Mapping[str, Any],
    *,
    minutes: float,
    trials: int | None = None,
    backtests: int = 2,
    days: float = 7,
    k: int = 10,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
    engine: EngineChoice | None = None,
) -> Tuned:
    """Search a model's space for the highest NDCG@k, for some minutes or trials, and return the best so far.

    `configured` parameters outside the space are kept; the first trial is what is configured, the defaults where
    nothing is. Another trial whose first backtests are worse than the median of the others is
    pruned. `say` gets a line for each that ends. An `engine` that is asked for works on the trials, and several are
    tried at a time where nodes train them; what each is worth is the same.

    Raises:
        EngineUnavailable: the engine has gone.
        ConfigError: the model has nothing to tune, or Optuna is not installed.
        NightrecError: the night has no features, or nothing could be trained.
    """
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise ConfigError("Tuning needs Optuna: pip install 'nightrec[tune]'.") from None
    configured = current(kind_of(recommender), configured, recommender)
    given = asdict(create(recommender, configured))
    space = {name: including(place, given[name]) for name, place in space_of(recommender).items()}
    start = {name: given[name] for name in space}
    fixed = {name: value for name, value in configured.items() if name not in space}
    prepared, features = (
        read_json(folder / "manifest.json") or {} for folder in (night.prepared, night.features / "train")
    )
    about = {
        "data": [prepared.get("output"), features.get("output")],
        "fixed": fixed,
        "space": repr(space),
        "windows": [backtests, days, k, seed],
    }

    file = night.store.tuning(recommender)
    file.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=f"{recommender}-{digest(about)[:12]}",  # other data or another space are another search
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
        load_if_exists=True,
        direction="maximize",
        # A sampler of a fixed seed would draw the same again in each process, and after each stop.
        sampler=optuna.samplers.TPESampler(seed=seed + _len_of(file), multivariate=True, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    study.enqueue_trial(start, skip_if_exists=True)

    failed: list[str] = []

    def objective(measured: Trials, trial: "optuna.Trial") -> float:
        params = {**fixed, **_suggest(trial, space)}
        values: list[float] = []
        for fold in range(len(measured)):
            try:
                values.append(ndcg(measured, params, trial.number, fold))
            except EngineUnavailable as error:
                raise _EngineGone from error  # no trial could be measured any more
            except (NightrecError, MemoryError) as error:
                failed.append(str(error) or "it ran out of memory")
                raise
            trial.report(float(np.mean(values)), fold)
            if fold + 1 < len(measured) and trial.params != start and trial.should_prune():
                raise optuna.TrialPruned
        value = float(np.mean(values))
        say(f"trial {trial.number}: NDCG@{k} {value:.4f} with {trial.params}")
        return value

    with trials_for(night, Search(recommender, backtests, days, k, seed), engine) as measured:
        context = copy_context()  # threads that try several at a time know of the engine, too
        try:
            study.optimize(
                lambda trial: context.copy().run(objective, measured, trial),
                n_trials=trials, timeout=60 * minutes, catch=(NightrecError, MemoryError), n_jobs=measured.at_a_time,
            )  # fmt: skip
        except _EngineGone as gone:
            raise EngineUnavailable(str(gone.__cause__)) from None
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if not done:
        why = failed[0].rstrip(".") if failed else f"give it more --minutes; see {file}"
        raise NightrecError(f"No trial of {recommender} came to an end: {why}.")
    assert study.best_value is not None
    default = next((trial.value for trial in done if trial.params == start), None)
    best = {**fixed, **study.best_params}
    return Tuned(best, study.best_value, default, len(study.trials), file)


class _EngineGone(Exception):
    """Ends a search, which goes on after errors of single trials."""


def _len_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _suggest(trial: "optuna.Trial", space: Space) -> Json:
    """A point of the space."""
    return {
        name: trial.suggest_categorical(name, list(place.values))
        if isinstance(place, OneOf)
        else trial.suggest_float(name, place.low, place.high, log=place.log)
        if isinstance(place, Real)
        else trial.suggest_int(name, place.low, place.high, log=place.log)
        for name, place in space.items()
    }


def block(name: str, recommender: str, params: Json) -> str:
    """The lines for `nightrec.toml`."""
    given = "" if name == recommender else f'recommender = "{recommender}"\n'
    values = ", ".join(f"{key} = {_toml(value)}" for key, value in params.items() if value is not None)
    return f"[models.{name}]\n{given}parameters = {{{values}}}\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:.4g}" if isinstance(value, float) and float(f"{value:.4g}") != int(value) else repr(value)
