"""How many candidates are trained at a time."""

from flows.settings.training import TrainingSettings


def test_candidates_beside_each_other_fill_the_cores_and_no_more() -> None:
    training = TrainingSettings()
    assert [training.concurrency(candidates, 8) for candidates in (1, 2, 5, 8, 100)] == [1, 2, 5, 8, 8]
    assert training.model_copy(update={"parallel": 2}).concurrency(5, 8) == 2
