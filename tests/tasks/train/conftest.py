"""Candidates that are forked, for the tests in which their process is not the point."""

from collections.abc import Iterator

import pytest

from tests.flows.forked import forked_candidates


@pytest.fixture
def forked() -> Iterator[None]:
    """Candidates are forked from a process that has imported the models."""
    with forked_candidates():
        yield
