"""The nights of one policy in a process of its own: `python -m recmodels.simulation.program SPEC.json`.

It takes a JSON file (`Spec`), writes the policy's tables and a JSON file with the result, and shares nothing else with
who started it. One that was killed goes on from its last checkpoint. It gives way to everything else on the machine.

Exit codes: 0 done, 1 failed, 2 a wrong specification or setting.
"""

import logging
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from recmodels.compute import memory
from recmodels.errors import ConfigError, NightrecError
from recmodels.simulation import behaviors
from recmodels.simulation.behavior import Behavior
from recmodels.simulation.comparison import finite
from recmodels.simulation.made import made
from recmodels.simulation.market import Market
from recmodels.simulation.measures import Meter
from recmodels.simulation.people import People
from recmodels.simulation.program_spec import Spec
from recmodels.simulation.record import FIT, Record, collect
from recmodels.simulation.run import NightSeen, simulate
from recmodels.supervised import WATCH, watch_stdin, write_result

FAILED, WRONG = 1, 2
NICE = 10  # of 19: nights on the same machine come first
CHECKPOINT = "checkpoint"


class Observer:
    """Measures each night and keeps its figures; what it remembers of earlier nights is part of the checkpoint."""

    def __init__(self, behavior: Behavior, seed: int, record: Record) -> None:
        self.meter, self.record = Meter(behavior, seed), record

    def __call__(self, seen: NightSeen) -> None:
        found = self.meter.measure(seen)
        self.record.add(seen.night, found.figures, found.by_user)

    def state(self) -> dict[str, np.ndarray]:
        return self.meter.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.meter.restore(state)


def run(spec: Spec) -> dict[str, Any]:
    """All runs of a policy; its tables are in its folder then, and where it would go on is removed."""
    records = [Record(spec.checkpoint / f"run-{number}", number) for number in range(spec.repetitions)]
    people = People.load(spec.people) if spec.people else None
    for record in records:
        if record.nights() < spec.nights or (record.folder / CHECKPOINT).exists():
            one_run(spec, record, people)
            shutil.rmtree(record.folder / CHECKPOINT, ignore_errors=True)
    collect(spec.folder, records, spec.nights, people.data.n_users if people else spec.users)
    shutil.rmtree(spec.checkpoint, ignore_errors=True)
    return {"peak_bytes": memory.peak()}


def one_run(spec: Spec, record: Record, people: People | None) -> None:
    """The nights of a run, from its last checkpoint on."""
    seed = spec.seed + record.run
    behavior = behaviors.create(
        spec.behavior,
        spec.parameters,
        users=spec.users,
        items=spec.items,
        nights=spec.nights,
        seed=seed,
        people=people,
        kept=spec.people and spec.people.with_name(f"market-{seed}.npz"),
    )
    if isinstance(behavior, Market) and behavior.fit is not None:
        write_result(spec.folder / FIT, finite(asdict(behavior.fit)))
    observer = Observer(behavior, seed, record)
    simulate(
        behavior,
        made(spec.policy, behavior),
        spec.nights,
        k=spec.k,
        retrain_every=spec.policy.retrain_every,
        seed=seed,
        repeats=spec.repeats,
        terms=people.data.terms if people and people.data.terms.shape[1] else None,
        ahead=observer.meter.ahead,
        observe=observer,
        checkpoint=record.folder / CHECKPOINT,
        checkpoint_every=spec.checkpoint_nights,
    )


def main(arguments: list[str]) -> int:
    """Run the specification named in the arguments; the exit code says how it ended."""
    logging.basicConfig(format="%(asctime)s %(message)s")  # to standard error
    os.nice(NICE)
    if WATCH in arguments:
        watch_stdin(FAILED)
    paths = [Path(argument) for argument in arguments if argument != WATCH]
    if len(paths) != 1:
        print("usage: python -m recmodels.simulation.program SPEC.json [--watch-stdin]", file=sys.stderr)
        return WRONG
    try:
        spec = Spec.read(paths[0])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG
    try:
        write_result(spec.result, run(spec))
    except NightrecError as error:
        write_result(spec.result, {"error": str(error)})
        return WRONG if isinstance(error, ConfigError) else FAILED
    except MemoryError:
        write_result(spec.result, {"error": "it ran out of memory; simulate fewer users or items, or leave it out."})
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
