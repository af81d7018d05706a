"""How many candidates are trained at a time."""

from flows.settings.training import TrainingSettings


def test_candidates_beside_each_other_fill_the_cores_and_no_more() -> None:
    training = TrainingSettings()
    assert [training.concurrency(candidates, 8, 1000) for candidates in (1, 2, 5, 8, 100)] == [1, 2, 5, 8, 8]
    assert training.model_copy(update={"parallel": 2}).concurrency(5, 8, 1000) == 2


def test_trainings_of_many_pairs_have_up_to_four_cores_each_unless_a_setting_says_otherwise() -> None:
    training = TrainingSettings()
    assert [training.concurrency(5, cores, 2_000_000) for cores in (1, 2, 4, 8, 16, 64)] == [1, 1, 1, 2, 4, 5]
    assert training.concurrency(5, 2, 1_999_999) == 2
    assert training.model_copy(update={"parallel": 2}).concurrency(5, 2, 2_000_000) == 2
