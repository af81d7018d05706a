"""What a candidate may be configured as: the pool whose workers train it."""

from typing import Any

import pytest

from tasks.train.settings import Candidate


@pytest.mark.parametrize(
    ("candidate", "pool"), [({}, "cpu"), ({"device": "gpu"}, "gpu"), ({"pool": "big", "device": "gpu"}, "big")]
)
def test_a_model_goes_to_its_pool(candidate: dict[str, Any], pool: str) -> None:
    assert Candidate(**candidate).workplace == pool


def test_the_pool_of_messages_trains_nothing() -> None:
    with pytest.raises(ValueError, match="kept for messages"):
        Candidate(pool="signals")
