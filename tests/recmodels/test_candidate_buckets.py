"""The lists of a candidate that an engine makes in buckets: the files are those of one process, to the byte."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels import candidate_buckets, candidate_lists
from recmodels.candidate import run
from recmodels.candidate_spec import Spec
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.errors import NightrecError
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from recmodels.testing import N_ITEMS, N_USERS
from tests.recmodels.specifications import specification


def rules(folder: Path) -> str:
    """One group of items, every third, that is to have half of the exposure."""
    indptr = np.append(0, np.cumsum(np.arange(N_ITEMS) % 3 == 0)).astype(np.int64)
    members = np.zeros(indptr[-1], np.int32)
    bounds = Bounds(indptr, members, np.array([0.5]), np.array([1.0]), True)
    Rules(allowed=np.arange(N_ITEMS) != 2, pool=8, bounds=bounds).save(folder / "rules.parquet")
    return str(folder / "rules.parquet")


@pytest.fixture
def three_users_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_lists, "LIST_POSITIONS", 15)


def listed(features: Path, in_buckets: bool, **changes: Any) -> dict[str, bytes]:
    """The files of the lists."""
    out, parts = (features.parent / f"{name}-{in_buckets}" for name in ("lists", "parts"))
    lists = {"out": str(out), "users": "all", "k": 5} | changes.pop("lists", {})
    spec = Spec.read(specification(features, lists=lists, parts=str(parts), **changes))
    if in_buckets:
        with using(LocalEngine()):
            run(spec)
        assert not list(parts.glob("lists-*"))
    else:
        run(spec)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.usefixtures("three_users_each")
@pytest.mark.parametrize(
    "recommender",
    [
        pytest.param("ease", marks=pytest.mark.slow),
        "user_knn",
        "popularity",
        pytest.param("als", marks=pytest.mark.slow),
    ],
)
def test_files_are_those_of_one_process(features: Path, recommender: str) -> None:
    """Also of a model whose lists depend on other users, and of one that needs no fallback."""
    given: dict[str, Any] = {"recommender": recommender, "params": {}}
    whole = listed(features, False, **given)
    assert listed(features, True, **given) == whole and whole.keys() == {"lists.parquet"}
    assert pq.ParquetFile(features.parent / "lists-True" / "lists.parquet").num_row_groups == -(-N_USERS // 3)


@pytest.mark.usefixtures("three_users_each")
@pytest.mark.slow
def test_rules_hold_with_the_prices_of_all_lists(features: Path) -> None:
    given: dict[str, Any] = {"lists": {"rules": rules(features.parent), "repeats": True}}
    whole = listed(features, False, **given)
    assert listed(features, True, **given) == whole and whole.keys() == {"lists.parquet", "plain.parquet"}
    assert whole["lists.parquet"] != whole["plain.parquet"]


@pytest.mark.usefixtures("three_users_each")
def test_what_was_made_before_a_failure_is_not_made_again(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    serve = candidate_lists.lists_of

    def fails(lists: Any, model: Any, fallback: Any, data: Any, users: Any, *more: Any) -> Any:
        made.append(int(users[0]))
        if len(made) == 4:
            raise NightrecError("no")
        return serve(lists, model, fallback, data, users, *more)

    monkeypatch.setattr(candidate_buckets, "lists_of", fails)
    monkeypatch.setattr("recmodels.engine.local.threads", lambda: 1)
    expected = listed(features, False)
    with pytest.raises(NightrecError, match="no"):
        listed(features, True)
    assert listed(features, True) == expected
    n = -(-N_USERS // 3)
    assert len(made) == n + 1 and sorted(set(made)) == [3 * number for number in range(n)]
