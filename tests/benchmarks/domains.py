"""What a model of two domains is worth for users of one of them, beside a model of that domain alone.

    python -m tests.benchmarks.domains {ml1m,demo} [--models item_knn als hybrid:domain_share=0.5] [--seed 0]

Domains: the films of MovieLens 1M (ratings of 4 and 5) that are comedies, and the others; or the books and the films of
the demo site (8,000 users). Each is the target once, and the other one the source.

Protocol. Of each user with at least ten items in the target and one in the source, the last five in the target are held
out; what they did anywhere from the first of these on is left out, too. These users are drawn at random (by the seed)
into three groups, so that they differ in nothing else: of the first all earlier history in the target is left out, of
the second all but the latest one to three items, of the third nothing. So the history of each
group's users is what its name says, and what is held out is the same whatever the group. All other users are trained on
as they are.

The model of both domains sees all that is left, that of the target its items alone. Both list ten items of the target;
whom a model knows nothing of is shown popular items of the target. Reported are NDCG@10, and the difference of the
two models with its 95 % interval over users. Models and their parameters are named as in `tests.benchmarks.quality`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.fallback import serve
from recmodels.metrics.ranking import per_user
from recmodels.metrics.significance import paired
from recmodels.popularity import Popularity
from recmodels.registry import create
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import Log, movielens_1m_log
from tests.conftest import real_data

HELD_OUT, LEAST, K = 5, 10, 10
GROUPS = ("0", "1-3", "4+")


@dataclass(frozen=True, eq=False)
class Site:
    """Interactions of two domains in order of users and time, a row a pair."""

    log: Log
    domains: Domains


@dataclass(frozen=True, eq=False)
class Transfer:
    """One target, and one draw of its users: what is left to train on, who is measured, and what is to be found."""

    both: Dataset
    alone: Dataset
    among: NDArray[np.bool_]  # [n_items]: the target's
    users: NDArray[np.int32]  # [n]
    truth: sparse.csr_array  # [n, n_items]
    group: NDArray[np.int64]  # [n], places in GROUPS


def movielens() -> Site:
    """Comedies and other films."""
    lines = (real_data("ml-1m") / "movies.dat").read_text("latin-1").splitlines()
    comedies = {int(film) for film, _, genres in (line.split("::") for line in lines) if "Comedy" in genres}
    log, films = movielens_1m_log()
    return Site(log, Domains(("comedies", "others"), np.array([film not in comedies for film in films], np.int32)))


def demo() -> Site:
    """Books (and audiobooks) and films of the generated site."""
    from recmodels.demo import write_site

    with TemporaryDirectory() as folder:
        write_site(Path(folder), end=date(2026, 7, 1), dirty="none")
        table, items = (pq.read_table(Path(folder) / f"{name}.parquet") for name in ("interactions", "items"))
    user, item = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy(), table["item_id"]
    place = pc.index_in(item, value_set=items["item_id"].combine_chunks()).to_numpy().astype(np.int32)
    seconds = table["timestamp"].cast(pa.int64()).to_numpy() // 1_000_000
    _, first = np.unique(user.astype(np.int64) * len(items) + place, return_index=True)  # the log is in order of time
    order = first[np.lexsort((seconds[first], user[first]))]
    film = pc.equal(items["kind"], "film").to_numpy().astype(np.int32)
    log = Log(user[order].astype(np.int32), place[order], seconds[order])
    return Site(log, Domains(("books", "films"), film))


def drawn(site: Site, target: int, seed: int) -> Transfer:
    """The protocol above, for one target and one draw."""
    log, rng = site.log, np.random.default_rng(seed)
    in_target = site.domains.codes[log.items] == target
    n_users, n_items = int(log.users.max()) + 1, len(site.domains.codes)
    there, elsewhere = (np.bincount(log.users[rows], minlength=n_users) for rows in (in_target, ~in_target))
    fit = (there >= LEAST) & (elsewhere >= 1)
    nth = np.zeros(len(log.users), np.int64)  # of the target's items of the user, from 0
    starts = np.flatnonzero(np.diff(log.users[in_target], prepend=-1))
    nth[in_target] = np.arange(in_target.sum()) - np.repeat(starts, np.diff(starts, append=in_target.sum()))
    held_out = in_target & fit[log.users] & (nth >= there[log.users] - HELD_OUT)
    until = np.full(n_users, np.iinfo(np.int64).max)
    np.minimum.at(until, log.users[held_out], log.seconds[held_out])
    group, few = rng.integers(0, 3, n_users), rng.integers(1, 4, n_users)
    # The latest of the earlier ones stay, as of people who have just come to the domain.
    most = np.select([group == 0, group == 1], [np.zeros(n_users, np.int64), few], np.iinfo(np.int64).max)
    earlier = log.seconds < until[log.users]
    before = np.bincount(log.users[in_target & earlier], minlength=n_users)
    kept = earlier & (~in_target | ~fit[log.users] | (nth >= (before - np.minimum(most, before))[log.users]))
    left = np.bincount(log.users[kept & ~in_target], minlength=n_users) > 0
    has = np.bincount(log.users[kept & in_target], minlength=n_users)
    named = np.select([has == 0, has <= 3], [0, 1], 2)
    users = np.flatnonzero(fit & left & (named == group)).astype(np.int32)

    def of(rows: NDArray[np.bool_]) -> Dataset:
        data = Dataset.from_arrays(
            log.users[rows], log.items[rows], timestamp=log.seconds[rows] * 1_000_000, n_users=n_users, n_items=n_items
        )
        return replace(data, domains=site.domains)

    chosen = held_out & np.isin(log.users, users)
    cells = np.searchsorted(users, log.users[chosen]), log.items[chosen]
    truth = sparse.csr_array((np.ones(len(cells[0]), bool), cells), shape=(len(users), n_items))
    return Transfer(of(kept), of(kept & in_target), site.domains.codes == target, users, truth, group[users])


def measured(one: Transfer, name: str, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NDCG@10 of each user by a model of the target alone, and by one of both domains."""
    found = []
    for data in (one.alone, one.both):
        kind, parameters = parse(name)
        model, popular = create(kind, parameters, seed=seed).fit(data), Popularity().fit(data)
        lists = serve(model, popular, data, one.users, K, allowed=one.among)
        found.append(per_user(lists.items, one.truth)["ndcg"])
    return found[0], found[1]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("ml1m", "demo"))
    parser.add_argument("--models", nargs="+", default=["popularity", "item_knn", "als", "ease", "hybrid"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    site = movielens() if given.data == "ml1m" else demo()
    print("| target | model | items there | users | alone | both | difference | 95 % interval |\n" + "|---" * 8 + "|")
    for target, domain in enumerate(site.domains.names):
        one = drawn(site, target, given.seed)
        for name in given.models:
            alone, both = measured(one, name, given.seed)
            for place, label in enumerate(GROUPS):
                mine = one.group == place
                gain = paired((both - alone)[mine], 0)
                means = f"{alone[mine].mean():.4f} | {both[mine].mean():.4f} | {gain.mean:+.4f}"
                interval = f"{gain.low:+.4f} to {gain.high:+.4f}"
                print(f"| {domain} | {name} | {label} | {mine.sum():,} | {means} | {interval} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
