"""Where a simulation stands, in a file."""

import numpy as np
import pytest

from recmodels.errors import ConfigError, NightrecError
from recmodels.simulation.checkpoint import FILE, Checkpoint, prefixed, within
from recmodels.simulation.policies import (
    Augmented,
    Explored,
    MostPopular,
    Policy,
    Random,
    Reranking,
    Switched,
    Trained,
)
from recmodels.simulation.run import NightSeen, simulate
from tests.recmodels.simulation.tiny import Tiny


class Part:
    def __init__(self, *values: int) -> None:
        self.values = np.array(values)

    def state(self) -> dict[str, np.ndarray]:
        return {"values": self.values}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.values = state["values"]


class Diary(Part):
    """Keeps a figure of each night."""

    def __call__(self, seen: NightSeen) -> None:
        self.values = np.append(self.values, [seen.night, int(seen.lists.items.sum()), len(seen.day.choices)])


class Killed(Exception):
    pass


def policies() -> dict[str, Policy]:
    """One of each kind, new."""
    return {
        "popular": MostPopular(),
        "als": Trained("als", {"factors": 4}),
        "rules": Trained("als", {"factors": 4}, rules=Reranking(calibration=0.5)),
        "explored": Explored(MostPopular(), [Random("a"), MostPopular("b")], 0.5, choose="thompson"),
        "augmented": Augmented(Trained("item_knn")),
        "switched": Switched(MostPopular(), 4, Trained("als", {"factors": 4})),
    }


@pytest.mark.parametrize("name", sorted(policies()))
@pytest.mark.parametrize("retrain_every", [None, 3])
@pytest.mark.slow
def test_a_simulation_that_was_killed_goes_on_to_what_it_would_have_come_to(tmp_path, name, retrain_every):
    """The lists, the choices and the figures, night by night."""
    options = {"k": 5, "retrain_every": retrain_every, "warm_up": (Random(), 1)}
    whole, lists = Diary(), Tiny()
    simulate(lists, policies()[name], 8, observe=whole, **options)

    def killed(night) -> None:
        if night.night == 6:
            raise Killed

    checkpoint = {"checkpoint": tmp_path / "here", "checkpoint_every": 2}
    with pytest.raises(Killed):
        simulate(Tiny(), policies()[name], 8, observe=Diary(), ahead=killed, **options, **checkpoint)
    diary, again = Diary(), Tiny()
    simulate(again, policies()[name], 8, observe=diary, **options, **checkpoint)
    assert len(again.asked) == 2
    assert (np.array(again.asked) == np.array(lists.asked[6:])).all()
    assert diary.values.tolist() == whole.values.tolist()
    assert (again.bored == lists.bored).all()


def test_one_that_has_ended_goes_on_to_more_nights(tmp_path):
    diary = Diary()
    for nights in (3, 3, 5):
        diary = Diary()
        simulate(Tiny(), MostPopular(), nights, observe=diary, checkpoint=tmp_path)
    whole = Diary()
    simulate(Tiny(), MostPopular(), 5, observe=whole)
    assert diary.values.tolist() == whole.values.tolist()


def test_what_keeps_nothing_is_told_of_the_nights_that_are_left(tmp_path):
    told: list[int] = []
    for nights in (2, 4):
        simulate(Tiny(), MostPopular(), nights, observe=lambda seen: told.append(seen.night), checkpoint=tmp_path)
    assert told == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "whose seed is 0 and not 1"),
        ({"k": 4}, "whose k is 10 and not 4"),
        ({"retrain_every": None}, "whose retrain_every is 1 and not null"),
        ({"policy": Random()}, "whose policy is"),
        ({"behavior": Tiny(48)}, "whose users is 40 and not 48"),
    ],
)
def test_the_checkpoint_of_another_simulation_is_refused(tmp_path, options, message):
    simulate(Tiny(), MostPopular(), 1, checkpoint=tmp_path)
    with pytest.raises(ConfigError, match=message):
        simulate(**{"behavior": Tiny(), "policy": MostPopular(), "nights": 2, "checkpoint": tmp_path} | options)


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"{}")
    with pytest.raises(NightrecError, match=r"simulation\.safetensors cannot be read .* remove it"):
        Checkpoint(tmp_path, {}).restore({})


def test_a_checkpoint_of_another_release_is_refused(tmp_path, monkeypatch):
    Checkpoint(tmp_path, {}).write(1, {"part": Part(1)})
    monkeypatch.setattr("recmodels.simulation.checkpoint.FORMAT", "2")
    with pytest.raises(ConfigError, match="of another release"):
        Checkpoint(tmp_path, {}).restore({})


def test_a_kill_while_it_is_written_leaves_the_last_one(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.write(1, {"part": Part(1)})

    def die(_: int) -> None:
        raise Killed

    monkeypatch.setattr("recmodels.simulation.checkpoint.os.fsync", die)
    with pytest.raises(Killed):
        checkpoint.write(2, {"part": Part(2)})
    part = Part()
    assert checkpoint.restore({"part": part}) == 1
    assert part.values.tolist() == [1]


def test_parts_are_told_apart():
    state = {"x": np.array(1), "y:z": np.array(2)}
    assert within("a", prefixed("a", state) | prefixed("ab", {"x": np.array(3)})) == state
