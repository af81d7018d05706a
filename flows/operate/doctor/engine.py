"""The cluster that nights give their work to: whether it is there, and whether each of its nodes can do the work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from flows.operate.doctor.findings import Finding, Site
from recmodels.engine import probe
from recmodels.engine.choice import CLUSTERS
from recmodels.engine.work import Machines
from recmodels.errors import ConfigError, EngineUnavailable
from recmodels.published.addresses import shown
from tasks.store.files import TEMPORARY
from tasks.store.room import size_text

LEAST_A_CORE = 2**30
"""Bytes of memory for each core, below which buckets are made one after another, or smaller."""
LEAST_SHARED = 100 * 2**20
"""Bytes of shared memory that the object store of a Ray node takes, at the least."""


@runtime_checkable
class HasNodes(Protocol):
    """An engine that can be asked how its nodes are."""

    def on_each_node(
        self, function: Callable[[Mapping[str, Any]], Mapping[str, Any]], told: Mapping[str, Any], seconds: float = 60.0
    ) -> Mapping[str, Mapping[str, Any] | str]: ...


def look(site: Site) -> Iterator[Finding]:
    """Each node has the same versions, sees the store or the exchange, and has memory and GPUs as they are needed."""
    choice = site.config.engine.choice
    if choice is None or choice.kind not in CLUSTERS or not choice.place:
        return  # nothing is there before the night starts it
    with ExitStack() as stack:
        try:
            choice.knock()
            engine = stack.enter_context(choice.connected())
        except (EngineUnavailable, ConfigError) as error:
            wrong = site.config.engine.fallback is None
            yield Finding(str(error).rstrip("."), choice.place, "put that right before the next night", wrong=wrong)
            return
        machines = engine.machines()
        yield from _as_a_whole(site, machines, choice.place)
        if not isinstance(engine, HasNodes):
            return
        told = {"exchange": choice.exchange} if choice.exchange else stack.enter_context(_to_be_seen(site))
        for node, answer in engine.on_each_node(probe.look, told).items():
            yield from _of_node(node, answer, site, machines)


def _as_a_whole(site: Site, machines: Machines, where: str) -> Iterator[Finding]:
    if not machines.nodes:
        yield Finding("no node takes work now", where, "start some, unless they come with the work", wrong=False)
    on_gpus = [name for name, one in site.config.enabled_models().items() if one.device == "gpu"]
    if on_gpus and not machines.gpus:
        what = f"no node has a GPU now, and {', '.join(on_gpus)} should be trained on one"
        yield Finding(what, where, "start such a node, unless it comes with the work", wrong=False)


def _of_node(node: str, answer: Mapping[str, Any] | str, site: Site, machines: Machines) -> Iterator[Finding]:
    where = f"the node {node}"
    same = "install the same on all machines"
    if isinstance(answer, str):
        yield Finding(f"it does not do nightrec's work: {answer[:200]}", where, same)
        return
    ours = probe.look({})
    for what in ("nightrec", "python"):
        if answer[what] != ours[what]:
            yield Finding(f"it has {what} {answer[what]}, and this machine {ours[what]}", where, same)
    for package, version in answer["packages"].items():
        if version != ours["packages"].get(package, version):
            yield Finding(f"it has {package} {version}, and this machine {ours['packages'][package]}", where, same)
    if answer["nightrec"] == ours["nightrec"] and answer["sources"] != ours["sources"]:
        yield Finding("it has other sources of nightrec than this machine", where, same)
    if answer["exchange"]:
        place = shown(site.config.engine.exchange)
        todo = "give it access, and the credentials in its environment"
        yield Finding(f"the exchange {place} cannot be used there: {answer['exchange']}", where, todo)
    if answer["store"]:
        todo = "mount it there under the same path, or name an exchange (engine.exchange)"
        yield Finding(f"the store {site.store.root} cannot be used there: {answer['store']}", where, todo)
    if answer["cuda"]:
        yield Finding(f"its GPUs cannot be used: {answer['cuda']}", where, "install PyTorch with CUDA there")
    cores = machines.cores / max(machines.nodes, 1)
    if answer["memory"] < LEAST_A_CORE * cores:
        what = f"it has {size_text(answer['memory'])} of memory for some {cores:g} cores"
        yield Finding(what, where, "give it a gigabyte for each core at least", wrong=False)
    if machines.kind == "ray" and answer["shm"] is not None and answer["shm"] < LEAST_SHARED:
        what = f"it has {size_text(answer['shm'])} of shared memory (/dev/shm), so that Ray works on its disk instead"
        yield Finding(what, where, "give its container more, as by --shm-size=512m", wrong=False)


@contextmanager
def _to_be_seen(site: Site) -> Iterator[dict[str, str]]:
    """A file in the store that other machines should see, for the time of the block."""
    content = uuid.uuid4().hex
    path = Path(site.store.root) / f"{TEMPORARY}seen-{content}"
    with suppress(OSError):
        path.write_text(content)
    try:
        yield {"seen": str(path), "content": content} if path.exists() else {}
    finally:
        path.unlink(missing_ok=True)
