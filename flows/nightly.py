"""The nightly flow: read top to bottom, it is the DAG of a night."""

from collections.abc import Iterator
from datetime import date

from prefect import flow
from prefect.futures import PrefectFuture, as_completed

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

Futures = dict[str, PrefectFuture[Manifest]]


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
        described_in_full = features.submit(night, "full", config.features, prepared, valid, fresh)
        evaluating = {
            name: evaluate.submit(night, name, config.evaluation, lists, prepared, seed, fresh)
            for name, lists in as_trained(training)
        }
        measured, failed = settled(training, evaluating)
        comparison = compare(night, candidates, measured, failed, fresh)

        winner = comparison["summary"]["winner"]
        everything = Share(threads=cores.n, seed=seed)
        champion = refit(night, winner, candidates[winner], prepared, described_in_full.result(), everything, fresh)
        published = export(night, cutoff, winner, config.export, config.features, prepared, champion, comparison, fresh)
        record.update(report(night, raw, valid, prepared, comparison, published))
    return record


def as_trained(training: Futures) -> Iterator[tuple[str, Manifest]]:
    """The lists of each candidate as soon as they are there; those that failed are passed over."""
    names = {future.task_run_id: name for name, future in training.items()}
    for future in as_completed(list(training.values())):
        future.wait()  # only now does it know its state
        if future.state.is_completed():
            yield names[future.task_run_id], future.result()


def settled(training: Futures, evaluating: Futures) -> tuple[dict[str, Manifest], dict[str, str]]:
    """Wait for all candidates: the metrics of those that made it, and why the others did not."""
    measured, failed = {}, {}
    for name, trained in training.items():
        last = evaluating.get(name, trained)
        last.wait()
        if last.state.is_completed():
            measured[name] = last.result()
        else:
            failed[name] = str(last.result(raise_on_failure=False))
    return measured, failed
