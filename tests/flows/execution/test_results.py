"""What fails by its own fault leaves a reason, what is the night's ends it."""

import errno
from typing import Any

import pytest

from flows.execution.results import partition_results
from recmodels.errors import EngineUnavailable, NightrecError


class Ended:
    """A future that has ended, well or with an error."""

    def __init__(self, outcome: Any) -> None:
        self.outcome, self.state = outcome, self

    def wait(self) -> None: ...

    def is_completed(self) -> bool:
        return not isinstance(self.outcome, Exception)

    def result(self, raise_on_failure: bool = True) -> Any:
        return self.outcome


def parted(**outcomes: Any) -> Any:
    return partition_results({name: Ended(outcome) for name, outcome in outcomes.items()})  # type: ignore[misc]


def test_a_model_that_failed_leaves_its_reason() -> None:
    results = parted(als="metrics", bpr=NightrecError("It diverges."))
    assert (results.measured, results.failed) == ({"als": "metrics"}, {"bpr": "It diverges."})


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), EngineUnavailable("The head is lost.")])
def test_what_is_no_fault_of_a_model_ends_the_night(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error).replace("[", r"\[")):
        parted(als="metrics", bpr=error)
