"""The small site that models are tested on, and what looks at them."""

import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.ranking.topk import TopK

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

N_USERS, N_ITEMS = 40, 30
NEWCOMER, COMPLETIST = 38, 39  # a user without history; one who has seen everything
NEVER_SEEN = 29  # an item that only the completist has


def small_site(seed: int = 0, n_users: int = N_USERS) -> Dataset:
    """40 users in two taste groups, 30 items, with terms by taste: binary weights, so that scores tie often."""
    rng = np.random.default_rng(seed)
    taste = np.arange(N_ITEMS) % 2 == np.arange(n_users)[:, None] % 2
    seen = rng.random((n_users, N_ITEMS)) < np.where(taste, 0.5, 0.1)
    seen[:, NEVER_SEEN] = False
    seen[NEWCOMER], seen[COMPLETIST] = False, True
    users, items = np.nonzero(seen)
    words = rng.random((N_ITEMS, 12)) * (rng.random((N_ITEMS, 12)) < 0.4)
    words[:, 0] = 0.1
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    times = rng.integers(0, 10**12, len(users))
    return Dataset.from_arrays(
        users,
        items,
        timestamp=times,
        terms=sparse.csr_array(words.astype(np.float32)),
        n_users=n_users,
        n_items=N_ITEMS,
    )


def with_session(data: Dataset, user: int, session: list[int]) -> Dataset:
    """The same site after the items of a session, of a user who may be a new one."""
    n, before = len(session), ~((data.user_index == user) & np.isin(data.item_index, session))
    users, items = data.user_index[before], data.item_index[before]
    return Dataset.from_arrays(
        np.append(users, np.full(n, user)),
        np.append(items, np.array(session, np.int32)),
        timestamp=np.append(data.timestamp[before], data.end + np.arange(n)),
        terms=data.terms,
        n_users=max(data.n_users, user + 1),
        n_items=data.n_items,
        end=data.end + n,
    )


@contextmanager
def threads(n: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute on n threads, whichever library does: those of BLAS, numba, torch, and our own."""
    import numba

    before = numba.get_num_threads()
    with monkeypatch.context() as patch, _pools(len(sys.modules)).limit(limits=n), _torch_threads(n):
        patch.setenv("OMP_NUM_THREADS", str(n))
        numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        try:
            yield
        finally:
            numba.set_num_threads(before)


@cache
def _pools(modules: int) -> "ThreadpoolController":
    """The threads of the libraries that so many modules have loaded: to look for them takes long."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    if "torch" not in sys.modules:  # should the model load it, torch takes as many as OMP_NUM_THREADS says
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def traced_peak(model: Recommender, data: Dataset, users: np.ndarray) -> int:
    """The most bytes that Python and numpy held at once while lists of one item were made."""
    tracemalloc.start()
    model.recommend(data, users, 1, batch=256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def assert_same(left: TopK, right: TopK) -> None:
    np.testing.assert_array_equal(left.items, right.items)
    np.testing.assert_array_equal(left.scores, right.scores)
