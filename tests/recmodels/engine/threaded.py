"""An engine of a cluster in miniature: it does errands in threads of this process."""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from recmodels.engine.cluster import Node
from recmodels.engine.cluster_engine import ClusterEngine
from recmodels.engine.errand import perform
from recmodels.engine.work import Needs


class ThreadedEngine(ClusterEngine):
    """Has a node of two cores, which does two errands at a time."""

    kind = "ray"

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(2)
        self.cancelled = 0

    def listed(self) -> dict[str, Node]:
        return {"a": Node("alpha", 2, 0, 2**33)}

    def submit(self, errand: str, needs: Needs) -> Future[str]:
        return self.pool.submit(perform, errand)

    def wait(self, handles: Sequence[Future[str]], seconds: float) -> Sequence[Future[str]]:
        return list(wait(handles, seconds, FIRST_COMPLETED).done)

    def answer(self, handle: Future[str]) -> str:
        return handle.result()

    def cancel(self, handles: Sequence[Future[str]]) -> None:
        self.cancelled += len(handles)

    def leave(self) -> None:
        self.pool.shutdown()
