"""The engine of another process of this machine, which serves it (`served`)."""

import json
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recmodels.engine.errand import Answer, error_of
from recmodels.engine.parts import name_of
from recmodels.engine.watching import Logging, Progress, watcher
from recmodels.engine.work import ONE_CORE, Bucket, Function, Machines, Needs
from recmodels.errors import EngineUnavailable


class RemoteEngine:
    """Has another process work on buckets by its engine.

    What becomes of nodes is said to who watches there, and goes into the log here.

    Args:
        place: the socket at which it is asked.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def machines(self) -> Machines:
        return Machines(**self._asked("machines"))

    @property
    def cores(self) -> int:
        return max(1, int(self.machines().cores))

    def map(
        self,
        function: Function,
        buckets: Sequence[Bucket],
        to: Path,
        *,
        code: str,
        needs: Needs = ONE_CORE,
        fetch: bool = True,
    ) -> list[Path]:
        told = [
            {
                "name": bucket.name,
                "inputs": {name: str(path.absolute()) for name, path in bucket.inputs.items()},
                "arguments": bucket.arguments,
            }
            for bucket in buckets
        ]
        self._asked(
            "map", function=name_of(function), buckets=told, to=str(to.absolute()),
            code=code, needs=asdict(needs), fetch=fetch,
        )  # fmt: skip
        return [to / bucket.name for bucket in buckets]

    def _asked(self, method: str, **request: Any) -> Any:
        tell, log = watcher(), Logging()
        with closing(self._answers({"method": method, **request})) as answers:
            for answer in answers:
                match answer:
                    case {"progressed": progress}:
                        tell.progressed(Progress(**progress))
                    case {"noted": sentence}:
                        log.noted(sentence)
                    case {"done": done}:
                        return done
                    case {"failed": failure}:
                        raise _error(Answer(**failure), request)
        raise EngineUnavailable("The process of the night, which was asked for work, has ended.")

    def _answers(self, request: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """What is answered, until the last."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.place)
                connection.sendall(json.dumps(request).encode() + b"\n")
                for line in connection.makefile():
                    yield json.loads(line)
        except OSError as error:
            why = error.strerror or error
            raise EngineUnavailable(f"The process of the night cannot be asked for work ({why}).") from None


def _error(answer: Answer, request: Mapping[str, Any]) -> Exception:
    if answer.failed == "memory":
        return MemoryError()
    return error_of(answer, request.get("function", "the engine"), "any")
