"""How the files of some work get to the nodes, and its parts back: not at all on a common disk, or by an exchange."""

import json
import shutil
import uuid
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Protocol

from recmodels.engine import parts
from recmodels.engine.exchange import SHARED, WITHIN, Exchange
from recmodels.engine.work import Bucket, Function


class Transport(Protocol):
    """The way of the files of one work."""

    def prepare(self, bucket: Bucket) -> Mapping[str, Any] | None:
        """See that nodes can read a bucket's inputs: what an errand says of its files; None if its part is there."""

    def arrived(self, bucket: Bucket, about: str) -> None:
        """A node has made the part, which says that of itself."""


class CommonDisk:
    """All nodes see the same files by the same paths."""

    def __init__(self, to: Path) -> None:
        self.to = to.absolute()

    def prepare(self, bucket: Bucket) -> Mapping[str, Any]:
        """Whether the part is there is found where the inputs are read, on the node."""
        return {"inputs": {name: str(path.absolute()) for name, path in bucket.inputs.items()}, "to": str(self.to)}

    def arrived(self, bucket: Bucket, about: str) -> None:
        """The part is where it belongs."""


class ByExchange:
    """Nodes fetch what they have not, and send what they made.

    A part that is not fetched leaves what it says of itself in its folder, by which it is found as an input. Nodes keep
    a file of a part only if it is one of those that several buckets read.
    """

    def __init__(
        self, exchange: Exchange, function: Function, to: Path, code: str, fetch: bool, shared: Set[Path] = frozenset()
    ) -> None:
        self.exchange, self.function, self.to, self.code, self.fetch = exchange, function, to, code, fetch
        self.shared = shared

    def prepare(self, bucket: Bucket) -> Mapping[str, Any] | None:
        part = self.to / bucket.name
        made_from = parts.fingerprint(self.function, bucket, self.code, parts.digest)
        if parts.done(part, made_from):
            return None
        if (about := self.exchange.about(made_from)) is not None:
            self._bring(part, about.decode())
            return None
        inputs = {name: self._sent(path) for name, path in bucket.inputs.items()}
        return {"inputs": inputs, "exchange": self.exchange.address, "made_from": made_from}

    def _sent(self, path: Path) -> Mapping[str, str]:
        sent = self.exchange.send(path)
        return sent | {"kind": SHARED} if sent["kind"] == WITHIN and path in self.shared else sent

    def arrived(self, bucket: Bucket, about: str) -> None:
        self._bring(self.to / bucket.name, about)

    def _bring(self, part: Path, about: str) -> None:
        made_from = json.loads(about)["fingerprint"]
        temporary = part.with_name(f"{parts.TEMPORARY}{part.name}-{uuid.uuid4().hex}")
        try:
            if self.fetch:
                self.exchange.fetch_part(made_from, parts.digest_of_about(about.encode()), temporary)
            else:
                temporary.mkdir(parents=True)
                (temporary / parts.ABOUT).write_text(about)
            parts.place(temporary, part, made_from)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
