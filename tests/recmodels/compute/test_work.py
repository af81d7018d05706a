"""The work that models say of themselves, against operations that are counted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recmodels.compute.work import DENSE, dense, gram, mean_length
from recmodels.registry import create, names


def multiplications(left: sparse.csr_array, right: sparse.csr_array) -> int:
    """Of the product of two sparse matrices, counted."""
    return int(sum(np.diff(right.indptr)[left.indices]))


@given(n_rows=st.integers(1, 40), length=st.integers(1, 12), seed=st.integers(0, 9))
def test_a_gram_matrix_of_rows_of_equal_length_takes_as_many_multiplications_as_are_counted(
    n_rows: int, length: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    columns = np.concatenate([rng.permutation(30)[:length] for _ in range(n_rows)])
    matrix = sparse.csr_array((np.ones(len(columns)), columns, np.arange(n_rows + 1) * length), shape=(n_rows, 30))
    assert gram(n_rows, n_rows * length) == multiplications(matrix.T.tocsr(), matrix)


def test_rows_that_are_not_there_have_no_length() -> None:
    assert (mean_length(4, 10), mean_length(0, 0), dense(2, 3, 5)) == (2.5, 0, 30 * DENSE)


SIZES = (1000, 300, 20_000)


@pytest.mark.parametrize("name", names())
def test_work_grows_with_the_site_and_lists_with_the_users(name: str) -> None:
    model = create(name)
    work = model.work(*SIZES)
    assert 0 < work < model.work(10_000, 3000, 200_000)
    lists = [model.list_work(n, *SIZES) for n in (0, 500, 1000)]
    assert 0 <= lists[0] < lists[1] < lists[2]
    assert lists[2] - lists[1] == pytest.approx(lists[1] - lists[0])


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [("als", "iterations", 8), ("bpr", "epochs", 40), ("mf", "epochs", 20), ("hybrid", "epochs", 8),
     ("ncf", "epochs", 8), ("transformer", "epochs", 200), ("transformer", "seeds", 3)],
)  # fmt: skip
def test_rounds_are_equal_parts_of_the_work(name: str, parameter: str, value: int) -> None:
    given = {"final_epochs": 0} if name == "transformer" else {}
    one, many = create(name, given | {parameter: 1}), create(name, given | {parameter: value})
    assert many.work(*SIZES) == pytest.approx(value * one.work(*SIZES))
    assert many.rounds() == value * one.rounds()


def test_the_last_passes_of_the_transformer_are_at_most_as_many_as_led_there() -> None:
    works = [
        create("transformer", {"epochs": epochs, "final_epochs": last}).work(*SIZES)
        for epochs, last in ((1, 0), (2, 4), (6, 4))
    ]
    assert works == pytest.approx([works[0], 4 * works[0], 10 * works[0]])


def test_models_that_are_fitted_in_one_go_have_one_round() -> None:
    whole = [
        "popularity",
        "item_knn",
        "user_knn",
        "ease",
        "graph_filter",
        "content",
        "ensemble",
        "transitions",
        "apart",
    ]
    assert [create(name).rounds() for name in whole] == [1] * len(whole)


@pytest.mark.parametrize("name", names())
def test_leaner_forms_take_less_and_less_memory_or_work(name: str) -> None:
    model, sizes = create(name), (10**6, 2 * 10**5, 5 * 10**7)
    taken = [(one.memory_needed(*sizes), one.work(*sizes)) for one in (model, *(create(name, p) for p in model.leaner))]
    for before, after in pairwise(taken):
        assert after[0] <= before[0] and after[1] <= before[1]
    assert not model.leaner or taken[-1] < taken[0]


def test_als_visits_each_entry_on_both_sides_in_each_step() -> None:
    few, many = (create("als", {"factors": 8, "iterations": 1, "cg_steps": steps}) for steps in (1, 3))
    assert many.work(*SIZES) - few.work(*SIZES) == 2 * (3 - 1) * 2 * 8 * SIZES[2]  # sides, steps, products, numbers


def test_sampled_negatives_spare_the_transformer_the_scores_of_the_other_items() -> None:
    full, sampled = (
        create("transformer", {"loss": loss, "epochs": 1, "final_epochs": 0, "negatives": 100})
        for loss in ("full", "sampled")
    )
    assert full.work(*SIZES) - sampled.work(*SIZES) == pytest.approx(3 * dense(SIZES[2], 128, 300 - 100))
