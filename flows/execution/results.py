"""What became of the candidates that were trained: metrics of some, reasons of the others."""

from dataclasses import dataclass, field
from typing import TypeAlias

from prefect.futures import PrefectFuture

from recmodels.errors import EngineUnavailable
from tasks.store.disk import FULL, told
from tasks.store.manifests import Manifest

Futures: TypeAlias = dict[str, PrefectFuture[Manifest]]


@dataclass(frozen=True)
class Results:
    """The manifests of the metrics of those that made it, and why the others did not, by name."""

    measured: dict[str, Manifest] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: "Results") -> "Results":
        return Results(self.measured | other.measured, self.failed | other.failed)


def partition_results(futures: Futures) -> Results:
    """Wait for all, and part those that completed from those that failed.

    Raises:
        EngineUnavailable: the night has no cluster any more.
        OSError: the disk is full.
    """
    results = Results()
    for name, future in futures.items():
        future.wait()
        if future.state.is_completed():
            results.measured[name] = future.result()
        else:
            error = future.result(raise_on_failure=False)
            if isinstance(error, EngineUnavailable) or (isinstance(error, OSError) and error.errno in FULL):
                # no model's fault: the night cannot go on
                raise error
            results.failed[name] = (told(error) if isinstance(error, Exception) else None) or str(error)
    return results
