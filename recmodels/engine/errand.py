"""What a process of a cluster is told to do, and what it answers: JSON, both of them.

It is told names and paths, no code: it must have the same code.
"""

import hashlib
import json
import socket
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from recmodels.compute.cores import sharing
from recmodels.engine import parts
from recmodels.engine.cache import called, of_this_node
from recmodels.engine.exchange import WITHIN, exchange_at
from recmodels.engine.too_large import is_memory
from recmodels.engine.work import Bucket, Function, Work
from recmodels.errors import EngineUnavailable, NightrecError

_FLOORS = ("recmodels", "expectations", "tasks")
_INPUTS = ".inputs"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Errand:
    """The work of a bucket, as JSON can say it.

    Attributes:
        function: `module:function`.
        bucket: its name.
        inputs: their paths, or by what they are found in the exchange.
        arguments: of the function.
        code: the version of the function's code.
        sources: a digest of nightrec's sources; the process that works must have the same.
        cores, memory: to work with, at most.
        to: the folder of the parts, on a disk that all nodes see; empty with an exchange.
        exchange: its address; empty where all nodes see one disk.
        made_from: the part's fingerprint; with an exchange, else it is found where the inputs are read.
    """

    function: str
    bucket: str
    inputs: Mapping[str, Any]
    arguments: Mapping[str, Any]
    code: str
    sources: str
    cores: float
    memory: int
    to: str = ""
    exchange: str = ""
    made_from: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of an errand.

    Attributes:
        node: where it was worked on.
        about: what the part says of itself; empty after a failure.
        found: whether it was there.
        failed: `memory`, where there was too little; `refused`, if the function said so by an error of ours; `io`, if
            a file system did not answer or refused; `error` for anything else.
        error: the error, as `module:class`.
        message: of the error.
        details: of an `io` error its number and path, of any other where in the code it was raised.
    """

    node: str
    about: str = ""
    found: bool = False
    failed: str = ""
    error: str = ""
    message: str = ""
    details: list[Any] = field(default_factory=list)


@cache
def sources() -> str:
    """A digest of nightrec's sources, as this process has them."""
    found = hashlib.sha256()
    for path in sorted(path for floor in _FLOORS for path in (_ROOT / floor).rglob("*.py")):
        found.update(f"{path.relative_to(_ROOT).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def perform(errand: str) -> str:
    """Do the work of a bucket: what a process of a cluster calls, whatever cluster it is.

    Args:
        errand: an `Errand`, as JSON.

    Returns:
        An `Answer`, as JSON.
    """
    node = socket.gethostname()
    try:
        about, was_there = _made(Errand(**json.loads(errand)), node)
        return json.dumps(asdict(Answer(node, about, was_there)))
    except Exception as error:
        return json.dumps(asdict(answer_of(error, node)), default=str)


def answer_of(error: Exception, node: str) -> Answer:
    """What is answered after an error, on a node; see `error_of`."""
    if is_memory(error):
        return Answer(node, failed="memory")
    if isinstance(error, NightrecError):
        return Answer(node, failed="refused", error=_name(error), message=str(error))
    if isinstance(error, OSError):
        details = [error.errno, error.filename]
        return Answer(node, failed="io", error=_name(error), message=error.strerror or str(error), details=details)
    return Answer(node, failed="error", error=_name(error), message=str(error), details=[traceback.format_exc()])


def found(name: str) -> Any:
    """What is called `module:name`."""
    module, _, inner = name.partition(":")
    thing = import_module(module)
    for part in inner.split("."):
        thing = getattr(thing, part)
    return thing


def error_of(answer: Answer, function: str, bucket: str) -> Exception:
    """The error that an answer is of, as it was where it was raised; one of ours, if it is of no kind we know."""
    if answer.failed == "io":
        number, path = answer.details
        return OSError(number, answer.message, path) if number else OSError(answer.message)
    if answer.failed == "refused":
        kind = found(answer.error)
        if isinstance(kind, type) and issubclass(kind, NightrecError):
            with suppress(TypeError):
                return kind(answer.message)
        return NightrecError(answer.message)
    what = f"{answer.error.rpartition(':')[2]}: {answer.message}"
    error = NightrecError(f"{function} failed with the bucket {bucket} on {answer.node}: {what}")
    error.__cause__ = _Elsewhere(*answer.details)
    return error


class _Elsewhere(Exception):
    """Where in the code an error was raised, in another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _made(errand: Errand, node: str) -> tuple[str, bool]:
    """Make a bucket's part, unless it is there; what it says of itself, and whether it was."""
    if errand.sources != sources():
        raise EngineUnavailable(
            f"The node {node} has another nightrec than the process that gives it work: install the same on both."
        )
    function = cast(Function, found(errand.function))
    with sharing(max(1, int(errand.cores))):
        return (_through_exchange if errand.exchange else _in_place)(function, errand)


def _in_place(function: Function, errand: Errand) -> tuple[str, bool]:
    bucket = Bucket(errand.bucket, {name: Path(path) for name, path in errand.inputs.items()}, errand.arguments)
    out = Path(errand.to) / bucket.name
    made_from = parts.fingerprint(function, bucket, errand.code, parts.digest)
    if not (was_there := parts.done(out, made_from)):
        parts.make(function, Work(bucket.inputs, bucket.arguments, out, errand.memory), made_from)
    return (out / parts.ABOUT).read_text(), was_there


def _through_exchange(function: Function, errand: Errand) -> tuple[str, bool]:
    exchange, kept = exchange_at(errand.exchange), of_this_node()
    with ExitStack() as stack:
        inputs: dict[str, Path] = {}
        workspace = stack.enter_context(kept.workspace())
        own = {name: what for name, what in errand.inputs.items() if what["kind"] == WITHIN}  # no other needs them
        exchange.fetch_all([(what, workspace / _INPUTS / name) for name, what in own.items()])
        for name, what in errand.inputs.items():
            if name in own:
                inputs[name] = workspace / _INPUTS / name / what["name"]
                continue
            key = f"{what['kind']}-{what['digest']}"
            inputs[name] = called(stack.enter_context(kept.holding(key, partial(exchange.fetch, what))), what["name"])
        out = workspace / errand.bucket
        parts.make(function, Work(inputs, errand.arguments, out, errand.memory), errand.made_from)
        exchange.send_part(out, errand.made_from)
        about = (out / parts.ABOUT).read_text()
        with kept.holding(f"part-{parts.digest(out)}", lambda entry: _move(out, entry)):
            pass  # it stays for buckets that read it
        return about, False


def _move(part: Path, entry: Path) -> None:
    part.rename(entry / part.name)


def _name(error: Exception) -> str:
    return f"{type(error).__module__}:{type(error).__qualname__}"
