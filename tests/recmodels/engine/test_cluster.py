"""What is known of the nodes of a cluster."""

from recmodels.engine.cluster import Node
from recmodels.engine.work import Needs
from tests.recmodels.engine.test_flights import Scripted

GIB = 2**30


def test_a_node_fits_what_it_has_room_for() -> None:
    node = Node("n", cores=4, gpus=1, memory=8 * GIB)
    assert node.fits(Needs(cores=4, gpus=1, memory=8 * GIB))
    for too_much in (Needs(cores=5), Needs(gpus=2), Needs(memory=9 * GIB)):
        assert not node.fits(too_much)


def test_nodes_that_take_no_work_do_not_count() -> None:
    cluster = Scripted(nodes=[{"head": Node("head", 0, 0, GIB), "a": Node("alpha", 1, 0, GIB)}])
    assert list(cluster.nodes()) == ["a"]


def test_what_became_of_nodes_is_said_once() -> None:
    a, b = {"a": Node("alpha", 1, 0, GIB)}, {"b": Node("beta", 1, 0, GIB)}
    cluster = Scripted(nodes=[a, a | b, a | b, b, b])
    assert [cluster.changes() for _ in range(5)] == [
        [],
        ["The node beta has joined."],
        [],
        ["The node alpha was lost."],
        [],
    ]


def test_a_lost_node_is_named_and_gone_before_the_cluster_sees_it() -> None:
    a, b = {"a": Node("alpha", 1, 0, GIB)}, {"b": Node("beta", 1, 0, GIB)}
    cluster = Scripted(nodes=[a | b])
    cluster.changes()
    assert cluster.lose("a") == "alpha"
    assert cluster.lose("never seen") == "never seen"
    assert list(cluster.nodes()) == ["b"]
    assert cluster.changes() == []
