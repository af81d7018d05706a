"""The engine of this process for other processes of this machine, through a socket: they share its connection.

A request is a line of JSON on a connection of its own, and so is each answer: how far the work is, and how it ended.
Work ends with the connection of who asked for it.
"""

import json
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import asdict, replace
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from threading import Event, Lock, Thread
from types import SimpleNamespace
from typing import Any, cast

from recmodels.engine.choice import CLUSTERS, EngineChoice
from recmodels.engine.current import asked_for, engine
from recmodels.engine.errand import answer_of
from recmodels.engine.watching import Progress, wanted_until, watched_by, watcher
from recmodels.engine.work import Bucket, Engine, Function, Needs

LONGEST = 60  # bytes of the folder for temporary files: names of sockets end at 104
POLL = 0.1  # seconds


@contextmanager
def for_processes(choice: EngineChoice) -> Iterator[EngineChoice]:
    """How processes that are started in the block get to a cluster: through this one, where it works with it.

    Args:
        choice: how they get there without it.
    """
    if choice.kind not in CLUSTERS or not asked_for():
        yield choice
        return
    short = None if len(tempfile.gettempdir()) < LONGEST else "/tmp"
    with tempfile.TemporaryDirectory(prefix="nightrec-", dir=short) as folder:  # which nobody else may look into
        place = Path(folder) / "engine"
        server = _Server(place, engine())
        serving = Thread(target=server.serve_forever, args=(POLL,), name="engine for processes", daemon=True)
        serving.start()
        try:
            yield replace(choice, served=str(place))
        finally:
            server.shutdown()
            server.hang_up()
            server.server_close()
            serving.join()


class _Server(ThreadingMixIn, UnixStreamServer):
    """Has a thread for each connection, and waits for all of them in the end."""

    def __init__(self, place: Path, engine: Engine) -> None:
        super().__init__(str(place), _Connection)
        self.engine, self.context = engine, copy_context()  # with who watches, and the stage
        self.connections: set[socket.socket] = set()
        self.lock = Lock()

    def hang_up(self) -> None:
        """End what is still asked for."""
        with self.lock:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Connection(StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections.add(self.request)

    def finish(self) -> None:
        with self.server.lock:
            self.server.connections.discard(self.request)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):
            if request := self.rfile.readline():
                over = Event()
                working = Thread(target=self.server.context.copy().run, args=(self._answer, json.loads(request), over))
                working.start()
                with suppress(OSError):
                    self.rfile.read()  # nothing comes; it ends when who asked has the answer, or is gone
                over.set()
                working.join()

    def _answer(self, request: dict[str, Any], over: Event) -> None:
        try:
            with wanted_until(over), watched_by(_Both(self)):
                answer = {"done": self._done(request)}
        except Exception as error:
            answer = {"failed": asdict(answer_of(error, socket.gethostname()))}
        self.say(answer)

    def _done(self, request: dict[str, Any]) -> Mapping[str, Any] | None:
        """What an engine's method of that name returns, without the paths, which are known."""
        if request.pop("method") == "machines":
            return asdict(self.server.engine.machines())
        module, _, name = request.pop("function").partition(":")
        function = SimpleNamespace(__module__=module, __qualname__=name)  # which is called elsewhere: not imported here
        buckets = [
            Bucket(one["name"], {name: Path(path) for name, path in one["inputs"].items()}, one["arguments"])
            for one in request.pop("buckets")
        ]
        to, needs = Path(request.pop("to")), Needs(**request.pop("needs"))
        self.server.engine.map(cast(Function, function), buckets, to, needs=needs, **request)
        return None

    def say(self, answer: Mapping[str, Any]) -> None:
        with suppress(OSError):  # who asked is gone, which is seen where it is waited for
            self.wfile.write(json.dumps(answer, default=str).encode() + b"\n")


class _Both:
    """Tells who asked for work, and who watches this process."""

    def __init__(self, connection: _Connection) -> None:
        self.connection, self.here = connection, watcher()

    def progressed(self, progress: Progress) -> None:
        self.here.progressed(progress)
        self.connection.say({"progressed": asdict(progress)})

    def noted(self, sentence: str) -> None:
        self.here.noted(sentence)
        self.connection.say({"noted": sentence})
