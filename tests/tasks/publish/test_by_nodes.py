"""Copies are made by the nodes of an engine, or by this machine where they cannot, and never taken for made."""

import logging
from pathlib import Path
from typing import Any

import pytest

from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Machines, Work
from recmodels.errors import ConfigError, NightrecError
from tasks.publish.by_nodes import ANSWER, by_nodes
from tasks.store.files import Json, write_json

BUCKETS = [Bucket(name) for name in ("one", "other")]
called: list[str] = []


class Refusing(LocalEngine):
    """A cluster whose nodes refuse what they are given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def machines(self) -> Machines:
        return Machines("ray", nodes=2, cores=2)

    def map(self, *_: Any, **__: Any) -> list[Path]:
        raise self.error


def copy(work: Work) -> None:
    called.append(work.out.name)
    write_json(work.out / ANSWER, {"rows": len(called)})


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConfigError("The environment variable SHOP is not set here."), "variable SHOP is not set here"),
        (OSError("redis://a:secret@b refused it"), "they do not reach the place"),
    ],
)
def test_where_nodes_cannot_this_machine_copies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, why: str
) -> None:
    called.clear()
    with using(Refusing(error)), caplog.at_level(logging.INFO):
        assert [answer["rows"] > 0 for answer in by_nodes(copy, BUCKETS, tmp_path)] == [True, True]
    assert len(called) == 2
    assert f"the nodes copy nothing, this machine does: {'The environment ' * (why[0] == 'v')}{why}" in caplog.text
    assert "secret" not in caplog.text


def test_what_is_wrong_with_the_copies_is_raised(tmp_path: Path) -> None:
    with using(Refusing(NightrecError("The server refused it."))), pytest.raises(NightrecError, match="server refused"):
        by_nodes(copy, BUCKETS, tmp_path)


def test_a_copy_that_was_made_before_is_made_again_and_leaves_nothing_here(tmp_path: Path) -> None:
    called.clear()
    answers: list[Json] = [*by_nodes(copy, BUCKETS, tmp_path), *by_nodes(copy, BUCKETS, tmp_path)]
    assert len(called) == len(answers) == 4
    assert not list(tmp_path.iterdir())
