"""The nights of one policy, in a process of its own, which is begun again where a killed one was."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

from recmodels.errors import NightrecError
from recmodels.messages import counted
from recmodels.simulation.record import Record, is_collected
from recmodels.supervised import WATCH, threads_of
from tasks.simulate.plan import Plan
from tasks.store.events import log_event, logged
from tasks.store.files import Json, read_json, write_json
from tasks.store.machine import Machine
from tasks.store.simulations import Simulation
from tasks.store.stage import stage_task
from tasks.train.process import failure, pause, supervised

WHOLE = "simulation"
EVERY = 30.0  # seconds between two lines about one policy
LOOK = 3.0  # seconds between two looks at how far it is


@stage_task("simulate-{policy}")
def nights_of(simulation: Simulation, plan: Plan, policy: str, limit_hours: float, more: Callable[[int], None]) -> None:
    """Let all nights of a policy go by; those that are over already are skipped.

    Args:
        simulation: it belongs to.
        plan: of the simulation.
        policy: its name.
        limit_hours: after which it is stopped.
        more: told how many further nights are over.

    Raises:
        NightrecError: it failed, ran out of time or was killed, or the simulation has ended.
        OSError, MemoryError: its file system or its memory refused something.
    """
    label, total = f"simulate {policy}", plan.nights * plan.repetitions
    if is_collected(simulation.policy(policy)):
        more(total)
        log_event(label, "skipped")
        return
    with logged(label) as line:
        spec_file, result_file, log_file = (
            simulation.logs / f"{policy}.{kind}" for kind in ("spec.json", "json", "log")
        )
        write_json(spec_file, spec_of(simulation, plan, policy) | {"result": str(result_file)})
        result_file.unlink(missing_ok=True)
        simulation.policy(policy).mkdir(exist_ok=True)
        command = [sys.executable, "-m", "recmodels.simulation.program", str(spec_file), WATCH]
        machine = Machine(_beside_nights())
        mine = max(1, machine.n_cores // len(plan.policies))
        seen = Seen(simulation, plan, policy, more)
        environment = threads_of(mine) | {"CUDA_VISIBLE_DEVICES": ""}
        late = "give it more with simulate.limit_hours, or simulate fewer nights or users"
        with machine.share(mine, wait=partial(pause, policy, whole=WHOLE)):
            code, _ = supervised(policy, command, log_file, environment, limit_hours * 60, late, seen.look, WHOLE)
        result = read_json(result_file) or {}
        if code != 0 or "error" in result:
            raise failure(policy, code, result, log_file, simulation.folder)
        seen.over()
        line["text"] = f"{counted(total, 'night')}, {result['peak_bytes'] / 2**20:,.0f} MiB"


def spec_of(simulation: Simulation, plan: Plan, policy: str) -> Json:
    """What the process of a policy is to do, see `recmodels.simulation.program_spec`."""
    about = plan.policies[policy].model_dump(mode="json", exclude={"says"}) | {"name": policy}
    return {
        "folder": str(simulation.policy(policy)),
        "checkpoint": str(simulation.checkpoint(policy)),
        "people": str(simulation.log) if plan.from_store else None,
        "behavior": plan.behavior.model,
        "parameters": plan.behavior.parameters,
        "users": plan.users,
        "items": plan.items,
        "nights": plan.nights,
        "k": plan.k,
        "repeats": plan.repeats,
        "seed": plan.seed,
        "repetitions": plan.repetitions,
        "checkpoint_nights": plan.checkpoint_nights,
        "policy": about,
    }


@dataclass
class Seen:
    """How far a policy is, as far as it was told."""

    simulation: Simulation
    plan: Plan
    policy: str
    more: Callable[[int], None]
    done: int = 0
    at: float = 0.0
    said: float = field(default_factory=monotonic)

    def look(self) -> None:
        """Tell of further nights, and now and then in the log.

        Raises:
            NightrecError: the users of the simulation are gone, as one of them was forgotten.
        """
        if self.plan.from_store and not self.simulation.log.exists():
            raise NightrecError(
                f"A user of the site was forgotten, and the simulation {self.simulation.name} may have been fitted to "
                "them: begin it again with --fresh."
            )
        if monotonic() - self.at < LOOK:
            return
        self.at = monotonic()
        nights = max(self._nights(), self.done)  # what is collected is gone from where they are counted
        self.more(nights - self.done)
        self.done = nights
        total = self.plan.nights * self.plan.repetitions
        if monotonic() - self.said > EVERY and nights < total:
            self.said = monotonic()
            log_event(f"simulate {self.policy}", "note", f"night {nights:,} of {total:,}")

    def over(self) -> None:
        """All nights are."""
        self.more(self.plan.nights * self.plan.repetitions - self.done)

    def _nights(self) -> int:
        """How many are over, of all runs."""
        folder = self.simulation.checkpoint(self.policy)
        runs = (Record(folder / f"run-{number}", number) for number in range(self.plan.repetitions))
        return sum(run.nights() for run in runs)


def _beside_nights() -> Path:
    """Where simulations share the cores of this machine among each other: nights take no notice, and come first."""
    return Path(tempfile.gettempdir()) / f"nightrec-{os.getuid()}-simulations"
