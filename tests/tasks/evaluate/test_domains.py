"""What lists of one domain are worth, worked by hand, and for whom."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from recmodels.data.domains import Domains
from tasks.evaluate.domains import domain_figures, domain_of
from tasks.train.settings import EvaluationSettings

SETTINGS = EvaluationSettings(k=2)
USERS = np.array([1, 2], np.int32)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Items 0-2 are books, 3-5 films. User 1 knows two films and disliked a book, user 2 knows a book."""
    Domains(("books", "films"), np.array([0, 0, 0, 1, 1, 1], np.int32)).write(tmp_path)
    rows = {"user_index": [1, 1, 1, 2], "item_index": [0, 3, 4, 0], "weight": [0.0, 1.0, 1.0, 1.0]}
    types = [("user_index", pa.int32()), ("item_index", pa.int32()), ("weight", pa.float32())]
    (tmp_path / "train").mkdir()
    pq.write_table(pa.table(rows, pa.schema(types)), tmp_path / "train" / "interactions.parquet")
    for domain, listed in enumerate([[(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)], [(1, 1, 5), (2, 1, 3), (2, 2, 4)]]):
        user, rank, item = zip(*listed, strict=True)
        table = pa.table({"user_index": user, "rank": rank, "item_index": item})
        pq.write_table(table, tmp_path / f"domain-{domain}.parquet")
    return tmp_path


def test_each_domain_is_measured_on_its_own_lists_and_by_what_users_did_there(night: Path) -> None:
    truth = sp.csr_array(np.array([[0, 0, 1, 0, 0, 1], [0, 1, 0, 0, 0, 0]], bool))  # user 1: 2 and 5; user 2: 1
    found = domain_figures(night, night, USERS, truth, SETTINGS, seed=0)
    ndcg = {row.slice: (row.users, pytest.approx(row.value)) for row in found if row.metric == "ndcg"}
    second = 1 / np.log2(3)  # the hit in the second place, for both users, of one relevant book each
    assert ndcg == {
        "domain:books": (2, second),
        "history in books:0": (1, second),
        "history in books:1-3": (1, second),
        "domain:films": (1, 1.0),
        "history in films:1-3": (1, 1.0),
    }
    assert {row.metric for row in found} == {"ndcg", "recall", "hit_rate"}
    assert (domain_of("domain:films"), domain_of("history in films:0"), domain_of("country:DE")) == (
        "films",
        None,
        None,
    )


def test_a_site_without_domains_has_no_such_figures(tmp_path: Path) -> None:
    assert domain_figures(tmp_path, tmp_path, USERS, sp.csr_array((2, 6), dtype=bool), SETTINGS, seed=0) == []
