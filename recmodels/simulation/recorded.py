"""What the nights of a policy have left in its folder, read for a comparison."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Longs
from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.offpolicy import PREFIX
from recmodels.simulation.runs import Run

NIGHTS, USERS = "nights.parquet", "users.parquet"
RUN, NIGHT, USER = "run", "night", "user"
MOST = 10_000
"""Beyond so many users, intervals are of some of them, drawn at random and the same for all policies."""


def runs_of(folder: Path, n_users: int, seed: int = 0) -> list[Run]:
    """The runs of a policy: one for each repetition.

    Args:
        folder: with `nights.parquet`, a row a night of each run, and `users.parquet`, a row a user and night, which
            are those of figures; users that are left out of a night have none.
        n_users: how many take part.
        seed: of the users that are drawn where there are many.
    """
    table = pq.read_table(folder / NIGHTS)
    number, night = table[RUN].to_numpy(), table[NIGHT].to_numpy()
    n_runs, n_nights = int(number.max()) + 1, int(night.max()) + 1
    figures = {}
    for name in table.column_names:
        if name in BY_NAME or name.startswith(f"{PREFIX}:"):
            figures[name] = np.full((n_runs, n_nights), np.nan)
            figures[name][number, night] = table[name].to_numpy()
    by_user = _of_users(folder / USERS, (n_runs, n_nights), _drawn(n_users, seed))
    return [
        Run(*({name: values[run] for name, values in some.items()} for some in (figures, by_user)))
        for run in range(n_runs)
    ]


def _drawn(n_users: int, seed: int) -> Bools:
    """Those whose figures are read."""
    drawn = np.zeros(n_users, np.bool_)
    drawn[np.random.default_rng(seed).permutation(n_users)[:MOST]] = True
    return drawn


def _of_users(path: Path, shape: tuple[int, int], drawn: Bools) -> dict[str, np.ndarray]:
    """The figures of users: each [n_runs, n_nights, n_drawn], float32. In totals, some users stand for all."""
    place: Longs = np.cumsum(drawn) - 1
    n_drawn = int(drawn.sum())
    with pq.ParquetFile(path) as file:
        names = [name for name in BY_NAME if name in file.schema_arrow.names]
        found = {name: np.full((*shape, n_drawn), np.nan, np.float32) for name in names}
        for batch in file.iter_batches(columns=[RUN, NIGHT, USER, *names]):
            user = batch[USER].to_numpy()
            mine = drawn[user]
            at = batch[RUN].to_numpy()[mine], batch[NIGHT].to_numpy()[mine], place[user[mine]]
            for name in names:
                factor = len(drawn) / max(1, n_drawn) if BY_NAME[name].total else 1.0
                found[name][at] = batch[name].to_numpy(zero_copy_only=False)[mine] * factor
    return found
