import numpy as np

from recmodels.simulation.chances import Chances, Of


def test_a_chance_belongs_to_its_name_and_not_to_who_else_is_asked_for() -> None:
    chances = Chances(7)
    some = chances.uniform(Of.VISIT, np.array([5, 2]))
    all_of_them = chances.uniform(Of.VISIT, np.arange(10))
    assert some.tolist() == all_of_them[[5, 2]].tolist()
    assert chances.uniform(Of.PLACE, np.array([[5]]), np.arange(3))[0, 2] == chances.uniform(Of.PLACE, 5, 2)


def test_chances_are_uniform_and_independent_of_each_other() -> None:
    chances = Chances.drawn(np.random.default_rng(0))
    table = chances.uniform(Of.ITEM, np.arange(300)[:, None], np.arange(300))
    n = table.size
    assert table.min() > 0 and table.max() < 1
    assert abs(table.mean() - 0.5) < 3 * (1 / 12 / n) ** 0.5
    counts = np.bincount((table.ravel() * 100).astype(int), minlength=100)
    assert ((counts - n / 100) ** 2).sum() / (n / 100) < 148.2  # chi-square of 99 degrees, p = .001
    for other in (
        chances.uniform(Of.WAY, np.arange(300)[:, None], np.arange(300)),
        Chances(chances.key + 1).uniform(Of.ITEM, np.arange(300)[:, None], np.arange(300)),
        table.T,
        np.roll(table, 1, axis=0),
        np.roll(table, 1, axis=1),
    ):
        assert abs(np.corrcoef(table.ravel(), other.ravel())[0, 1]) < 3.3 / n**0.5


def test_the_greatest_of_perturbed_utilities_is_a_logit_choice() -> None:
    utilities = np.log([1.0, 2.0, 5.0])
    n = 40_000
    chosen = (utilities + Chances(1).gumbel(Of.PLACE, np.arange(n)[:, None], np.arange(3))).argmax(axis=1)
    shares = np.bincount(chosen) / n
    assert np.abs(shares - np.array([1, 2, 5]) / 8).max() < 3 * 0.5 / n**0.5
