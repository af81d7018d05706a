"""The speeds that `nightrec plan` and nights estimate with: ``python -m docs.site.speeds``.

It fits the formulas of `tasks.estimates` to docs/curves.json and writes tasks/estimates/speeds.json, on the machine
where the nights were measured, of which it takes a probe. Each figure is a fixed part and so much of what it grows
with, none below 0, with the least relative deviations. Printed is how far each is off, and in brackets how far where
its own size was left out of the fit.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from scipy.optimize import nnls

from docs.site.curves import FILE, Curves, Night, Stage, read
from recmodels.registry import create
from tasks.estimates import speeds
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.formulas import CPU_DRIVERS, DRIVERS, MEMORY_DRIVERS, counted, model_cost, stage_cost
from tasks.estimates.measured import Measured
from tasks.estimates.plan import plan
from tasks.estimates.probe import probe
from tasks.estimates.speeds import Linear, Machine, ModelSpeed, Pace, Speeds, StageSpeed
from tasks.train.process import IN_TIME
from tasks.train.settings import Candidate

NOISE = 1.0  # seconds that are added to times before they are compared: small ones say little
WAITING = 1.3  # seconds of a CPU second at most: more than that is other work on the machine
BYTES = 2**25  # the same of disk, and of what memory is fitted to
FEW = 2**29  # bytes of memory, below which it is as good as none


def counts_of(night: Night) -> Counts:
    measured = max((model.listed_users for model in night.models), default=0)
    return Counts(night.interactions, night.users, night.items, night.pairs, measured, night.memory_bytes, night.ranges)


def fit(curves: Curves, probed: float) -> Speeds:
    """The speeds that nights of several sizes show."""
    nights, cores = curves.nights, curves.machine.cores
    shares = [counts_of(night).measured / night.users for night in nights]
    following = [night.after for night in nights if night.after is not None]
    return Speeds(
        **vars(_pace(nights, cores)),
        machine=Machine(**curves.machine.model_dump(), probe=probed),
        largest=max(night.interactions for night in nights),
        pairs=round(median(night.pairs / night.interactions for night in nights), 3),
        measured=round(max(shares), 3),
        following=_pace(following, cores, {}) if following else None,
    )


def _pace(nights: Sequence[Night], cores: int, drivers: Mapping[str, tuple[str, ...]] = CPU_DRIVERS) -> Pace:
    """What nights of one kind took, times by those `drivers`: those that follow are prepared by what has changed."""
    return Pace(
        load=_linear(
            [(counted(counts_of(night)), seconds) for night in nights for seconds in _loads(night)], ("pairs",)
        ),
        start=round(median(_starts(nights)), 2),
        stages={name: _stage(name, nights, cores, drivers) for name in DRIVERS if _of(name, nights)},
        models=_models(nights),
    )


def _starts(nights: Sequence[Night]) -> list[float]:
    """Seconds of the processes of candidates besides fitting, listing and reading."""
    found = []
    for night in nights:
        stages = {stage.name: stage for stage in night.stages}
        for model in night.models:
            if (stage := stages.get(f"train {model.name}")) is not None and stage.cpu_seconds is not None:
                reading = max(0.0, stage.cpu_seconds - model.fit_cpu_seconds - model.list_cpu_seconds)
                found.append(max(0.0, stage.seconds - model.fit_seconds - model.list_seconds - reading))
    return found or [0.0]


def _loads(night: Night) -> Iterable[float]:
    """CPU seconds of the processes of candidates besides fitting and listing."""
    trained = {stage.name.removeprefix("train "): stage for stage in night.stages if stage.name.startswith("train ")}
    for model in night.models:
        if model.name in trained and (cpu := trained[model.name].cpu_seconds) is not None:
            yield max(0.0, cpu - model.fit_cpu_seconds - model.list_cpu_seconds)


def _of(name: str, nights: Sequence[Night]) -> list[tuple[dict[str, float], Stage]]:
    """What a stage took, with the counts of the night; one that there is for each model counts for each."""
    return [
        (counted(counts_of(night)), stage)
        for night in nights
        for stage in night.stages
        if stage.name == name or (name == "evaluate" and stage.name.startswith("evaluate "))
    ]


def _stage(name: str, nights: Sequence[Night], cores: int, drivers: Mapping[str, tuple[str, ...]]) -> StageSpeed:
    found = _of(name, nights)
    cpu = [(at, stage.seconds if stage.cpu_seconds is None else stage.cpu_seconds) for at, stage in found]
    walls = [stage.seconds / seconds for (_, seconds), (_, stage) in zip(cpu, found, strict=True) if seconds > NOISE]
    wall = median(walls) if walls else 1.0  # seconds of a CPU second: fewer where cores work side by side
    parallel = min(1.0, (1 - wall) / (1 - 1 / cores)) if wall < 1 < cores else 0.0
    memory = [(at, float(stage.peak_bytes)) for at, stage in found]
    by_ranges = any(at["by_ranges"] for at, _ in found)
    return StageSpeed(
        cpu=_linear(cpu, drivers.get(name, DRIVERS[name]) if by_ranges else DRIVERS[name]),
        parallel=round(parallel, 3),
        waiting=round(min(max(1.0, wall), WAITING), 3),
        memory=_linear(memory, MEMORY_DRIVERS.get(name, DRIVERS[name]), BYTES),
        disk=_linear([(at, float(stage.disk_bytes)) for at, stage in found], DRIVERS[name], BYTES),
    )


def _models(nights: Sequence[Night]) -> dict[str, ModelSpeed]:
    fits, lists, disks = defaultdict(list), defaultdict(list), defaultdict(list)
    for night in nights:
        for model in night.models:
            made, sizes = create(model.recommender, model.parameters), (night.users, night.items, night.pairs)
            work, list_work = made.work(*sizes), made.list_work(model.listed_users, *sizes)
            lists[model.recommender].append(
                ({"work": list_work, "listed": float(model.listed_users)}, model.list_cpu_seconds)
            )
            left = sum(stage.disk_bytes for stage in night.stages if stage.name == f"train {model.name}")
            disks[model.recommender].append((counted(counts_of(night)), float(left)))
            if not model.bounded:
                fits[model.recommender].append(({"work": work}, model.fit_cpu_seconds))
    return {
        name: ModelSpeed(
            fit=_linear(fits[name], ("work",)),
            lists=_linear(lists[name], ("work", "listed"), fixed=False),
            disk=_linear(disks[name], ("items", "users") if len(disks[name]) > 2 else ("items",), BYTES),
        )
        for name in fits
    }


Points = Sequence[tuple[Mapping[str, float], float]]
"""Figures, each with what it may grow with."""


def _linear(points: Points, drivers: Sequence[str], noise: float = NOISE, *, fixed: bool = True) -> Linear:
    """The fixed part and the factors, none below 0, of the least relative deviations."""
    if not points:
        return Linear()
    values = np.array([value for _, value in points])
    rows = np.array([[1.0, *(at[name] for name in drivers)] for at, _ in points])
    if not fixed or len(np.unique(rows, axis=0)) == 1:
        rows[:, 0] = 0  # a single size does not tell what is fixed: all of it is taken to grow
    scale = rows.max(axis=0)
    scale[scale == 0] = 1
    weights = 1 / (values + noise)
    found, _ = nnls(rows / scale * weights[:, None], values * weights)
    always, *factors = (float(f"{factor:.4g}") for factor in found / scale)
    return Linear(fixed=always, each={name: one for name, one in zip(drivers, factors, strict=True) if one > 1e-15})


def off(curves: Curves, fitted: Callable[[Night], Speeds]) -> dict[str, dict[int, float]]:
    """By how much each figure of each night is missed: what is said of it over what was measured, by interactions.

    Args:
        curves: the nights.
        fitted: the speeds that a night is judged by.
    """
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for night in curves.nights:
        speeds = fitted(night)
        for name, ratio in _off(night, speeds):
            found[name][night.interactions] = ratio
        for name, ratio in _off(night.after, speeds.following) if night.after and speeds.following else ():
            if name.endswith(" s"):  # that is what the night after is asked for
                found[f"the night after: {name}"][night.interactions] = ratio
    return found


def _off(night: Night, pace: Pace) -> Iterator[tuple[str, float]]:
    """By how much each figure of a night is missed, by its name."""
    counts = counts_of(night)
    for stage in night.stages:
        name = "evaluate" if stage.name.startswith("evaluate ") else stage.name
        if name not in pace.stages:
            continue
        said, cpu = stage_cost(name, pace.stages[name], counts), pace.stages[name].cpu.at(counted(counts))
        took = stage.seconds if stage.cpu_seconds is None else stage.cpu_seconds
        yield f"{name}, s", (cpu + NOISE) / (took + NOISE)
        yield f"{name}, memory", max(said.memory, FEW) / max(stage.peak_bytes, FEW)
        yield f"{name}, disk", (said.disk + BYTES) / (stage.disk_bytes + BYTES)
    first = next((stage.name for stage in night.stages if stage.name.startswith("train ")), "")  # which reads the data
    for model in night.models:
        cost = model_cost(create(model.recommender, model.parameters), pace, counts)
        held = cost.memory if first == f"train {model.name}" else cost.sharing
        times = {"fit": (cost.fit, model.fit_cpu_seconds), "lists": (cost.lists, model.list_cpu_seconds)}
        for what, (guess, true) in times.items():
            if what == "lists" or not model.bounded:
                yield f"{model.name}, {what} s", (guess + NOISE) / (true + NOISE)
        yield f"{model.name}, memory", max(held, FEW) / max(model.peak_bytes, FEW)


def whole(night: Night, speeds: Speeds, cores: int) -> dict[str, float]:
    """How far the plan of a night, and of the night after, is off as a whole: other work on the machine counts here."""
    candidates = {
        model.name: Candidate(
            recommender=model.recommender, parameters=model.parameters, timeout_minutes=(model.minutes or 60) / IN_TIME
        )
        for model in night.models
    }
    refitted = next((stage.name for stage in night.stages if stage.name.startswith("refit ")), "")
    likely = refitted.removeprefix("refit ")
    said = plan(counts_of(night), candidates, Estimator(speeds, Measured()), cores, 1, likely=likely)
    after = {"s of the one after": said.following / night.after.seconds} if said.following and night.after else {}
    return after | {
        "s": said.seconds / night.seconds,
        "memory": said.memory / night.peak_bytes,
        "disk": said.disk / night.disk_bytes,
    }


def without(curves: Curves, night: Night) -> Curves:
    """The nights of other sizes."""
    return curves.model_copy(update={"nights": [one for one in curves.nights if one is not night]})


def probed_with(curves: Curves) -> float:
    """The probe of the machine that was measured: this one's, unless these nights were fitted to before."""
    before = speeds.fitted().machine if speeds.FILE.exists() else None
    same = before is not None and (before.date, before.commit) == (curves.machine.date, curves.machine.commit)
    return before.probe if before is not None and same else probe()


def main(arguments: list[str] | None = None) -> int:
    """Fit, write, and print what is off."""
    parser = argparse.ArgumentParser(prog="python -m docs.site.speeds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("curves", nargs="?", type=Path, default=FILE, help="[docs/curves.json]")
    parser.add_argument("--out", type=Path, default=speeds.FILE, help="[tasks/estimates/speeds.json]")
    options = parser.parse_args(arguments)
    curves = read(options.curves)
    probed = probed_with(curves)
    found = fit(curves, probed)
    options.out.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    speeds.fitted.cache_clear()
    inside = off(curves, lambda night: found)
    outside = off(curves, lambda night: fit(without(curves, night), probed)) if len(curves.nights) > 2 else {}
    sizes = [night.interactions for night in curves.nights]
    print("said / measured, and without the size itself:", *(f"{size / 1e6:,.0f} M" for size in sizes))
    for name, by_size in inside.items():
        beyond = outside.get(name, {})
        cells = [f"{by_size[size]:.2f} ({beyond.get(size, np.nan):.2f})" if size in by_size else "-" for size in sizes]
        marks = "" if all(0.7 <= ratio <= 1.3 for ratio in by_size.values()) else "  <- more than 30 %"
        print(f"{name:<32}", *cells, marks)
    wholes = [whole(night, found, curves.machine.cores) for night in curves.nights]
    for what in ("s", "memory", "disk", "s of the one after"):
        print(f"{f'the night, {what}':<32}", *(f"{ratios[what]:.2f}" if what in ratios else "-" for ratios in wholes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
