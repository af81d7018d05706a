"""The nightly flow: read top to bottom, it is the DAG of a night."""

from datetime import date

from prefect import flow
from prefect.futures import PrefectFuture

from flows.config import NightConfig
from tasks.compare import compare
from tasks.demo import demo_site
from tasks.evaluate import evaluate
from tasks.export import export
from tasks.features import features
from tasks.ingest import ingest
from tasks.prepare import prepare
from tasks.report import recorded, report
from tasks.store import Json, Manifest, Store
from tasks.train import ListRules, Share, cores, refit, train
from tasks.validate import validate


@flow(name="nightly", flow_run_name="night-{run_date}", persist_result=False)
def nightly(config: NightConfig, run_date: date, fresh: bool = False) -> Json:
    """One night: from a site's interactions to published lists for every user.

    Every stage leaves a folder in the store and is skipped when the same inputs, parameters and code made it before,
    so a night that was cut short goes on where it was.

    **When a night fails**, its message says what to do, and the last export stays published. Mend the cause and run
    the same date again.

    Args:
        config: the site's settings.
        run_date: the night's date; it sees the data before 00:00 of that day in the site's time zone.
        fresh: do everything again, whatever is there.
    """
    night = Store(config.store.absolute()).night(run_date)
    cutoff = config.cutoff(run_date)
    candidates = {name: candidate for name, candidate in config.models.items() if candidate.enabled}
    rules = ListRules(k=config.evaluation.k, repeats=config.export.repeats)
    seed = config.training.seed
    share = Share(threads=config.training.threads(len(candidates), cores.n), seed=seed)

    with recorded(night) as record:
        inputs = config.tables() or demo_site(night, config.demo.model_dump())
        raw = ingest(night, inputs, cutoff, fresh)
        valid = validate(night, config.validation, cutoff, raw, fresh)
        prepared = prepare(night, config.prepare, cutoff, valid, fresh)
        described = features(night, "train", config.features, prepared, valid, fresh)

        training = {
            name: train.submit(night, name, candidate, rules, prepared, described, share, fresh)
            for name, candidate in candidates.items()
        }
        evaluating = {
            name: evaluate.submit(night, name, config.evaluation, lists, prepared, seed, fresh)  # type: ignore[call-overload]  # a future stands for its result
            for name, lists in training.items()
        }
        described_in_full = features(night, "full", config.features, prepared, valid, fresh)
        measured, failed = settled(training, evaluating)
        comparison = compare(night, candidates, measured, failed, fresh)

        winner = comparison["summary"]["winner"]
        everything = Share(threads=cores.n, seed=seed)
        champion = refit(night, winner, candidates[winner], prepared, described_in_full, everything, fresh)
        published = export(night, cutoff, winner, config.export, config.features, prepared, champion, comparison, fresh)
        record.update(report(night, raw, valid, prepared, comparison, published))
    return record


def settled(
    training: dict[str, PrefectFuture[Manifest]], evaluating: dict[str, PrefectFuture[Manifest]]
) -> tuple[dict[str, Manifest], dict[str, str]]:
    """Wait for all candidates: the metrics of those that made it, and why the others did not."""
    measured, failed = {}, {}
    for name, future in evaluating.items():
        training[name].wait()
        future.wait()
        if future.state.is_completed():
            measured[name] = future.result()
        else:
            cause = future if training[name].state.is_completed() else training[name]
            failed[name] = str(cause.result(raise_on_failure=False))
    return measured, failed
