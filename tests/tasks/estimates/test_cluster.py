"""Nights on clusters that are simulated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.estimates.cluster import Cluster, Phase, simulate

PLAIN = {"handing_over": 0.0, "connecting": 0.0, "spread": 0.0}


def test_like_buckets_are_divided_among_all_cores() -> None:
    found = simulate([Phase("lists", 40, 400.0)], Cluster(2, 5, **PLAIN))
    assert found.seconds == pytest.approx(40)  # four of ten seconds on each core
    assert found.efficiency(Cluster(2, 5)) == pytest.approx(1)


def test_a_bucket_is_not_divided() -> None:
    found = simulate([Phase("lists", 11, 110.0)], Cluster(2, 5, **PLAIN))
    assert found.seconds == pytest.approx(20)
    assert found.efficiency(Cluster(2, 5)) == pytest.approx(110 / (20 * 10))


def test_the_driver_hands_over_one_bucket_after_another() -> None:
    found = simulate([Phase("lists", 1000, 1.0)], Cluster(100, 10, **PLAIN | {"handing_over": 0.01}))
    assert found.seconds == pytest.approx(10, rel=0.01)


def test_what_the_driver_does_alone_is_not_divided() -> None:
    phases = [Phase("prepare", 10, 10.0, alone=7), *[Phase("als", 10, 10.0, alone=1)] * 3]
    found = simulate(phases, Cluster(10, 1, **PLAIN))
    assert found.of_stage == pytest.approx({"prepare": 8, "als": 6})
    assert found.seconds == pytest.approx(14)


def test_bytes_take_their_share_of_the_node() -> None:
    cluster = Cluster(2, 4, bandwidth=100.0, **PLAIN)
    read = simulate([Phase("ingest", 8, 0.0, read=800, written=800)], cluster)
    assert read.seconds == pytest.approx(1600 / 200)  # both nodes, with all they have
    few = simulate([Phase("ingest", 2, 0.0, read=800, written=800)], cluster)
    assert few.seconds == pytest.approx(1600 / 200)  # a bucket each, with all of it
    once = simulate([Phase("lists", 8, 8.0, once=300)], cluster)
    assert once.seconds == pytest.approx(1 + 3)


def test_what_the_driver_fetches_takes_its_own_bandwidth() -> None:
    cluster = Cluster(10, 1, bandwidth=100.0, **PLAIN)
    assert simulate([Phase("als", 10, 10.0, fetched=500)], cluster).seconds == pytest.approx(1 + 5)


def test_a_core_twice_as_fast_takes_half() -> None:
    phases = [Phase("lists", 8, 80.0, alone=10)]
    slow, fast = (simulate(phases, Cluster(2, 4, speed=speed, **PLAIN)).seconds for speed in (1.0, 2.0))
    assert slow == pytest.approx(20) and fast == pytest.approx(10)


def test_buckets_of_a_lost_node_are_done_again_and_nothing_else() -> None:
    phases = [Phase("lists", 200, 200 * 60.0)]
    safe = simulate(phases, Cluster(10, 2, **PLAIN))
    lossy = Cluster(10, 2, lost_an_hour=4.0, back_after=30, **PLAIN)
    found = simulate(phases, lossy, seed=3)
    assert found.lost > 0
    assert 0 < found.repeated <= 2 * found.lost
    assert found.work == safe.work
    assert safe.seconds < found.seconds < safe.seconds + 60 * found.lost


def test_a_night_without_nodes_for_a_while_ends_when_they_are_back() -> None:
    found = simulate([Phase("lists", 4, 400.0)], Cluster(1, 1, lost_an_hour=15, back_after=300, **PLAIN), seed=1)
    assert found.lost > 0
    assert found.seconds >= 400 + 300 * (found.lost - 1)


@given(
    buckets=st.integers(1, 60), work=st.floats(1, 1e4), nodes=st.integers(1, 8), cores=st.integers(1, 4),
    spread=st.floats(0, 0.5), lost=st.floats(0, 2), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_cluster_beats_its_cores(
    buckets: int, work: float, nodes: int, cores: int, spread: float, lost: float, seed: int
) -> None:
    cluster = Cluster(nodes, cores, spread=0.0, lost_an_hour=lost, back_after=10)
    found = simulate([Phase("lists", buckets, work)], cluster, seed)
    assert found.seconds >= work / (nodes * cores)
    assert 0 < found.efficiency(cluster) <= 1
    uneven = simulate([Phase("lists", buckets, work)], Cluster(nodes, cores, spread=spread), seed)
    assert uneven == simulate([Phase("lists", buckets, work)], Cluster(nodes, cores, spread=spread), seed)
