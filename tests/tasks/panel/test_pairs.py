"""Who is followed and who is compared with whom stays the same, whoever comes and goes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from tasks.panel.pairs import earlier_pairs, nearest_pairs, pairs_table, random_pairs
from tasks.panel.sample import followed

NONE = np.zeros((0, 2), np.int32)


def names(ids: pa.Array, pairs: Ints) -> set[tuple[str, str]]:
    known = ids.to_pylist()
    return {(known[one], known[other]) for one, other in pairs.tolist()}


def test_users_are_followed_as_long_as_they_are_there() -> None:
    ids = [f"u{n}" for n in range(1000)]
    chosen = {ids[n] for n in followed(pa.array(ids), 200)}
    others = [name for name in ids if name not in chosen]
    fewer = pa.array([*sorted(chosen)[5:], *others])
    now = {fewer[int(n)].as_py() for n in followed(fewer, 200)}
    assert len(chosen) == 200 and now >= set(sorted(chosen)[5:])
    assert followed(pa.array(["a", None, "b"]), 100).tolist() == [0, 2]


def test_pairs_stay_and_those_who_are_left_get_another(tmp_path: Path) -> None:
    ids = pa.array([f"u{n}" for n in range(100)])
    pairs = random_pairs(ids, NONE)
    assert sorted(pairs.ravel().tolist()) == list(range(100))
    path = tmp_path / "pairs.parquet"
    pq.write_table(pairs_table(ids, pairs, np.zeros(len(pairs)), nearest=False), path)
    rest = ids.filter(pa.array([n not in (3, 50) for n in range(100)]))
    later = names(rest, random_pairs(rest, earlier_pairs(path, rest, nearest=False)))
    before = names(ids, pairs)
    gone = {pair for pair in before if {"u3", "u50"} & set(pair)}
    assert later >= before - gone and len(later) == 49
    assert len(earlier_pairs(path, rest, nearest=True)) == 0
    assert len(earlier_pairs(path, pa.array([1, 2, 3]), nearest=False)) == 0  # the site has changed its ids


def test_the_nearest_are_those_who_chose_the_same() -> None:
    chosen: Csr = sparse.csr_array(
        np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]], np.float32)
    )
    assert sorted(map(sorted, nearest_pairs(chosen, NONE).tolist())) == [[0, 2], [1, 3]]
    assert nearest_pairs(chosen, np.array([[0, 1]], np.int32)).tolist() == [[0, 1], [2, 3]]
