"""What follows once the winner is fitted: its lists are exported, old exports go, copies are brought up to date."""

from collections.abc import Sequence
from datetime import datetime

from flows.settings.site import NightConfig
from tasks.arms.tonight import ArmsTonight
from tasks.compare.decision import ComparisonSummary
from tasks.export.stage import export
from tasks.publish.mirror import mirror
from tasks.publish.retention import retain
from tasks.publish.sinks.load import load as load_sinks
from tasks.report.record import NightRecord, SinkOutcome
from tasks.store.files import Json
from tasks.store.in_step import send
from tasks.store.manifests import Manifest
from tasks.store.paths import Night


def publish(
    night: Night,
    cutoff: datetime,
    config: NightConfig,
    prepared: Manifest,
    comparison: Manifest,
    fitted: Manifest,
    record: NightRecord,
    fresh: bool,
    arms: ArmsTonight | None = None,
    replicates: Sequence[int] = (),
) -> Json:
    """Publish the winner's lists, and put what became of the sinks into the night's record.

    `replicates` of the winner were fitted for its exploration.

    Returns:
        The export's manifest.
    """
    winner = ComparisonSummary.of_manifest(comparison).winner
    published = export(
        night,
        cutoff,
        winner,
        config.export,
        config.features,
        prepared,
        fitted,
        comparison,
        fresh,
        config.exploration,
        config.training.seed,
        arms,
        replicates,
    )
    retain(night.store, config.retention)
    record.sinks = {name: SinkOutcome.of(one) for name, one in load_sinks(night.store, config.sinks).items()}
    send(night.store.root)
    if config.copy_at:
        mirror(night.store, config.copy_at)
    return published
