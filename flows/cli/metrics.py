"""`nightrec metrics`: what the nights came to, as Prometheus reads it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.cli.options import of_a_store
from flows.cli.place import the_store
from tasks.store.paths import Store


@click.command()
@of_a_store
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--file", type=click.Path(path_type=Path), help="Write them there, for the textfile collector.")
def metrics(store: Path | None, config: Path | None, file: Path | None) -> None:
    """Print the site's metrics in Prometheus' text format: last success, the export, NDCG, durations and so on.

    Nights write the same file by themselves where metrics.file names one, and `nightrec serve` answers a scraper at
    /metrics.
    """
    from flows.settings.site import load
    from tasks.report.metrics import metrics_text, write_metrics

    settings = load(config)
    folder = Store(settings.store if store is None and config is not None else the_store(store))
    if file is None:
        click.echo(metrics_text(folder, settings.site, datetime.now(UTC)), nl=False)
    else:
        write_metrics(folder, settings.site, file)
