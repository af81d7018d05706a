"""The commands about models: `models` lists and explains them, `tune` searches their hyper-parameters."""

from datetime import date
from pathlib import Path

import click

from flows.cli.options import Day, store_option
from recmodels.errors import ConfigError
from tasks.store.paths import Store


@click.command()
@click.argument("model")
@store_option
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--date", "run_date", type=Day(), help="The night whose training data are searched on [the newest].")
@click.option(
    "--minutes", type=click.FloatRange(min=0.001), default=30, show_default=True, help="No trial starts later."
)
@click.option("--trials", type=click.IntRange(1), help="Most trials of this process [as many as there is time for].")
@click.option("--windows", type=click.IntRange(1, 8), default=2, show_default=True, help="How many are measured.")
@click.option("--days", type=click.FloatRange(min=0.1), default=7, show_default=True, help="Length of each.")
@click.option("--write", type=click.Path(path_type=Path), help="Put the winning block into this new file, too.")
def tune(
    model: str,
    store: Path | None,
    config: Path | None,
    run_date: date | None,
    minutes: float,
    trials: int | None,
    windows: int,
    days: float,
    write: Path | None,
) -> None:
    """Search MODEL's hyper-parameters on days before the holdout, and print the best block for nightrec.toml.

    It can be stopped and goes on when it is started again; started several times, the processes search together.
    """
    from flows.settings.site import load
    from tasks.train.settings import Candidate
    from tasks.train.tuning import block
    from tasks.train.tuning import tune as search

    if write is not None and write.exists():
        raise ConfigError(f"{write} exists already; name another file, or remove it first.")
    settings = load(config)
    folder = Store(store.absolute() if store else settings.store.absolute())
    ready = [night for night in folder.nights() if (night.prepared / "manifest.json").exists()]
    nights = [night for night in ready if run_date in (None, night.run_date)]
    if not nights:
        raise ConfigError(f"No such night has left features in the store {folder.root}: run one first.")
    candidate = settings.models.get(model, Candidate())
    recommender = candidate.recommender or model
    found = search(
        nights[-1],
        recommender,
        candidate.parameters,
        minutes=minutes,
        trials=trials,
        windows=windows,
        days=days,
        k=settings.evaluation.k,
        seed=settings.training.seed,
        say=lambda line: click.echo(line, err=True),
    )
    lines = block(model, recommender, found.params)
    click.echo(
        f"# NDCG@{settings.evaluation.k} {found.value:.4f} before the holdout, {found.default:.4f} as configured; "
        f"{found.tried} trials, kept in {found.file}"
    )
    click.echo(lines, nl=False)
    if write is not None:
        write.write_text(lines, encoding="utf-8")
