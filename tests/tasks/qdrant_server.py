"""A server that answers as Qdrant's REST API is described, on the local mode of its client, and notes requests."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY = "a secret"
DONE = {"operation_id": 0, "status": "completed"}


@dataclass
class Qdrant:
    """What a test sees of the server."""

    local: Any
    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path with its query, and JSON of each request."""
    refuses: dict[str, int] = field(default_factory=dict)
    """HTTP status by the beginning of `METHOD path` that is answered with it."""
    loses: int = 0
    """Of so many points each time, one is not kept."""
    _lock: Any = field(default_factory=threading.RLock)

    def answer(self, method: str, path: str, content: Any) -> Any:
        """The result of a request, whose content is held to the client's models of the API."""
        from qdrant_client import models

        place, local = urlsplit(path).path.strip("/").split("/"), self.local
        match method, place:
            case "GET", ["aliases"]:
                return local.get_aliases().model_dump(mode="json")
            case "GET", ["collections"]:
                return local.get_collections().model_dump(mode="json")
            case "POST", ["collections", "aliases"]:
                change = models.ChangeAliasesOperation.model_validate(content)
                return local.update_collection_aliases(change.actions)
            case "GET", ["collections", name]:
                busy = sum(one[:2] == (method, path) for one in self.asked) < 2
                return local.get_collection(name).model_dump(mode="json") | ({"status": "yellow"} if busy else {})
            case "PUT", ["collections", name]:
                made = models.CreateCollection.model_validate(content)
                return local.create_collection(name, vectors_config=made.vectors, hnsw_config=made.hnsw_config)
            case "DELETE", ["collections", name]:
                return local.delete_collection(name)
            case "PUT", ["collections", _, "index"]:
                return models.CreateFieldIndex.model_validate(content) and DONE
            case "PUT", ["collections", name, "points"]:
                batch = models.PointsBatch.model_validate(content).batch
                local.upsert(name, batch)
                if self.loses and len(batch.ids) >= self.loses:
                    local.delete(name, batch.ids[:1])
                return DONE
            case "POST", ["collections", name, "points"]:
                asked = models.PointRequest.model_validate(content)
                found = local.retrieve(name, asked.ids, with_payload=asked.with_payload, with_vectors=asked.with_vector)
                return [one.model_dump(mode="json", include={"id", "payload", "vector"}) for one in found]
            case "POST", ["collections", name, "points", "count"]:
                asked = models.CountRequest.model_validate(content)
                return local.count(name, exact=asked.exact).model_dump(mode="json")
        raise AssertionError(f"{method} {path} is no request that is known here")

    def status(self, method: str, path: str, key: str | None) -> int:
        if key != KEY:
            return 401
        return next((code for begin, code in self.refuses.items() if f"{method} {path}".startswith(begin)), 200)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("content-length") or 0)
        content = json.loads(request.rfile.read(length)) if length else None
        status = self.status(request.command, request.path, request.headers.get("api-key"))
        with self._lock:
            self.asked.append((request.command, request.path, content))
            result = self.answer(request.command, request.path, content) if status == 200 else None
        body = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def qdrant() -> Iterator[Qdrant]:
    """Such a server, without collections."""
    from qdrant_client import QdrantClient

    there = Qdrant(QdrantClient(":memory:"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            there.handle(self)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        there.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield there
        server.shutdown()
        thread.join()
