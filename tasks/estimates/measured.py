"""What the last nights of a store took, beside what was to be expected of them: the best measure of the next one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from recmodels.compute.memory import total
from recmodels.data.layout import BASE
from recmodels.errors import ConfigError
from recmodels.registry import create, is_registered
from tasks.estimates.counts import Counts
from tasks.estimates.formulas import model_cost, on_threads, spilled_by, stage_cost
from tasks.estimates.speeds import Pace, Speeds
from tasks.store.files import read_json
from tasks.store.manifests import Manifest, manifest_of
from tasks.store.paths import Night, Store
from tasks.store.records import fitting
from tasks.store.summaries import PreparedSummary

LAST = 3  # nights that are looked at
SECOND = 1.0  # added to what was measured and to what was expected: small ones say little


@dataclass(frozen=True)
class Measured:
    """How many times as long as expected what took, by the names of stages and, as `fit NAME` and `lists NAME`, models.

    Attributes:
        ratios: of what started from nothing.
        following: of stages that went on from the night before, and of warm starts.
        by: the nights that say so.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    following: Mapping[str, float] = field(default_factory=dict)
    by: tuple[str, ...] = ()


def counts_of(night: Night) -> Counts | None:
    """Of a night that has prepared its tables; None where it has not."""
    manifest = manifest_of(night.prepared)
    summary = fitting(manifest["summary"], PreparedSummary) if manifest else None
    planned = (read_json(night.summary) or {}).get("memory_bytes")
    return Counts.of_prepared(summary, planned or total()) if summary else None


def spilled(night: Night) -> int:
    """Bytes that preparing a night like this one spills, with the memory that there is now."""
    counts = counts_of(night)
    return spilled_by(replace(counts, planned=total())) if counts else 0


def last_counts(store: Store) -> tuple[Night, Counts] | None:
    """The last night that has prepared its tables, and how large it was."""
    return next(((night, found) for night in reversed(store.all_nights()) if (found := counts_of(night))), None)


def measured(store: Store, speeds: Speeds, cores: int, before: Night | None = None) -> Measured:
    """Of the last nights, the most that each of them says.

    Args:
        store: may be empty.
        speeds: what is expected.
        cores: of this machine, on which they are taken to have run.
        before: only nights before this one are looked at.
    """
    found: dict[bool, dict[str, float]] = {False: {}, True: {}}
    by: list[str] = []
    for night in reversed(store.all_nights()):
        counts = counts_of(night) if before is None or night.run_date < before.run_date else None
        if counts is None or (read_json(night.summary) or {}).get("status") not in ("published", "compared"):
            continue
        for follows, name, ratio in _ratios(night, speeds, counts, cores):
            found[follows][name] = max(ratio, found[follows].get(name, 0.0))
        by.append(str(night.run_date))
        if len(by) == LAST:
            break
    return Measured(found[False], found[True], tuple(reversed(by)))


def _ratios(night: Night, speeds: Speeds, counts: Counts, cores: int) -> Iterator[tuple[bool, str, float]]:
    """Whether something went on from the night before, its name, and its ratio to what was expected of such."""
    following = speeds.following if (night.prepared / BASE).is_dir() else None
    pace = following or speeds
    for line in (read_json(night.summary) or {}).get("stages", []):
        name, seconds = line.get("stage"), line.get("seconds")
        stage = name.split()[0] if str(name).startswith("evaluate ") else name
        if line.get("event") == "done" and stage in pace.stages and isinstance(seconds, float):
            expected = stage_cost(stage, pace.stages[stage], counts).seconds(cores)
            yield following is not None, stage, _ratio(seconds, expected)
    folder = night.folder / "toplists"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    threads = max(1, cores // max(1, min(len(names), cores)))
    for name in names:
        if manifest := manifest_of(night.toplists(name)):
            parts = {"fit": following if _is_warm(manifest) else None, "lists": following}
            for part, pace_of in parts.items():
                for took, expected in _times(part, manifest, pace_of or speeds, counts, threads):
                    yield pace_of is not None, f"{part} {name}", _ratio(took, expected)


def _is_warm(manifest: Manifest) -> bool:
    """Whether the training of a candidate went on from a model of an earlier night."""
    listed = manifest["summary"]
    return "night" in (listed.get("fit") or listed).get("warm", {})


def _times(part: str, manifest: Manifest, pace: Pace, counts: Counts, threads: int) -> Iterator[tuple[float, float]]:
    """What fitting, or listing, took a candidate, and what it was expected to: CPU seconds, or seconds of threads."""
    recipe, listed = manifest["parameters"], manifest["summary"]
    if not is_registered(recipe["recommender"]):
        return
    try:
        model = create(recipe["recommender"], recipe["params"], note=False)
    except ConfigError:  # of another version
        return
    cost = model_cost(model, pace, counts)
    summary = (listed.get("fit") or listed) if part == "fit" else listed
    name, cpu = ("fit", cost.fit) if part == "fit" else ("list", cost.lists)
    if isinstance(took := summary.get(f"{name}_cpu_seconds"), float):
        yield took, cpu
    elif isinstance(took := summary.get(f"{name}_seconds"), float):
        yield took, on_threads(cpu, threads)


def _ratio(took: float, expected: float) -> float:
    return (took + SECOND) / (expected + SECOND)
