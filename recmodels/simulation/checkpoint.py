"""Where a simulation stands, in one file: one that was killed goes on from it as if nothing had happened."""

import json
import os
from pathlib import Path
from typing import Protocol, Self, TypeAlias, runtime_checkable

import numpy as np

from recmodels.errors import ConfigError, NightrecError

FILE = "simulation.safetensors"
FORMAT = "1"

State: TypeAlias = dict[str, np.ndarray]


@runtime_checkable
class Stateful(Protocol):
    """What can say all that it goes on from, and be as it was when it said so."""

    def state(self) -> State:
        """All that changes, by name."""

    def restore(self, state: State) -> None:
        """Be as it was when `state` was taken."""


class Checkpoint:
    """A file with the state of some parts after so many nights.

    It is replaced as a whole, so that a kill leaves the last one, and nothing in it is executed.
    """

    def __init__(self, folder: Path, about: dict[str, object]) -> None:
        """In a folder, which is created, and of one simulation: `about` says which, in terms of JSON."""
        self.path, self.about = folder / FILE, about

    def write(self, night: int, parts: dict[str, Stateful]) -> None:
        """Keep the state of the parts before a night."""
        from safetensors.numpy import save_file

        arrays: State = {}
        for name, part in parts.items():
            arrays |= prefixed(name, part.state())
        metadata = {"format": FORMAT, "night": str(night), "about": json.dumps(self.about)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".tmp")
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, unfinished, metadata)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(self.path)

    def restore(self, parts: dict[str, Stateful]) -> int:
        """Let the parts be as they were, and return the night that is next; 0 where there is no file.

        Raises:
            ConfigError: the file is of another simulation.
            NightrecError: it is damaged.
        """
        if not self.path.exists():
            return 0
        metadata, arrays = self._read()
        if metadata.get("format") != FORMAT:
            raise ConfigError(f"{self.path} is of another release of nightrec; remove it, and simulate anew.")
        held = json.loads(metadata["about"])
        for name, value in json.loads(json.dumps(self.about)).items():
            if held.get(name) != value:
                shown = [f"{json.dumps(one):.40}" for one in (held.get(name), value)]
                raise ConfigError(
                    f"{self.path} is of another simulation, whose {name} is {shown[0]} and not {shown[1]}; "
                    "remove it, or give another folder."
                )
        for name, part in parts.items():
            part.restore(within(name, arrays))
        return int(metadata["night"])

    def _read(self) -> tuple[dict[str, str], State]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, "np") as file:
                return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise NightrecError(f"{self.path} cannot be read ({error}); remove it, and simulate anew.") from error


class Nothing:
    """A part without a state."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass

    @classmethod
    def unless_stateful(cls, part: object) -> "Stateful | Self":
        """The part, if it has a state."""
        return part if isinstance(part, Stateful) else cls()


def prefixed(name: str, state: State) -> State:
    """The state of a part among those of others."""
    return {f"{name}:{key}": value for key, value in state.items()}


def within(name: str, state: State) -> State:
    """The state of a part, of those of all."""
    start = f"{name}:"
    return {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
