"""An item takes a place only if the list then obeys the site's rules as before."""

import numpy as np
import pytest

from recmodels.exploration.permitted import NOBODY, Places
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules

NOTHING_PINNED = np.zeros((1, 3), np.bool_)
ALL = np.ones(8, np.bool_)
USER = np.zeros(1, np.int32)


def best(ranked: list[int], items: list[int], rules: Rules | None = None, slot: int | None = None) -> int:
    """What takes a place of a list of three."""
    padded = np.array([[*items, *[NOBODY] * (3 - len(items))]], np.int32)
    places = Places(padded, NOTHING_PINNED, USER, rules, slot)
    return int(places.best(np.array([ranked], np.int32))[0])


def test_it_is_the_first_that_the_rest_of_the_list_lacks() -> None:
    assert best([0, 5, 6], [0, 1, 2]) == 5
    assert best([0, 2, 6], [0, 1, 2]) == 2, "the usual item may be proposed"
    assert best([0, 2, 6], [0, 1, 2], slot=0) == 0
    assert best([2, 1, 6], [0, 1, 2], slot=0) == 6
    assert best([0, 1, NOBODY], [0, 1, 2]) == NOBODY


def test_what_is_not_allowed_is_passed_over() -> None:
    allowed = np.array([True] * 5 + [False] + [True] * 2)
    assert best([5, 6], [0, 1, 2], Rules(allowed)) == 6


def test_a_category_stays_within_its_cap() -> None:
    """Items 0 and 5 are in category 0, 1 and 6 in category 1, 2 and 7 in both, 3 and 4 in none; one of each at most."""
    indptr, indices = np.array([0, 1, 2, 4, 4, 4, 5, 6, 8]), np.array([0, 1, 0, 1, 0, 1, 0, 1], np.int32)
    rules = Rules(ALL, categories=(indptr, indices), caps=np.array([1, 1], np.int32))
    assert best([5, 6, 4], [0, 1, 3], rules) == 4
    assert best([7, 6, 4], [0, 3, 1], rules) == 6, "it takes the place of another one of its category"
    assert best([7, 4], [3, 4, 2], rules) == 7


def test_a_list_keeps_its_new_items() -> None:
    new = np.array([False] * 4 + [True] * 4)
    rules = Rules(ALL, new=new, new_share=1 / 3)
    assert best([1, 5], [0, 2, 4], rules) == 5
    assert best([1, 5], [0, 4, 2], rules) == 1, "another place has the new one"
    assert best([1, 5], [0, 3, 2], rules) == 1, "there was none before either"


@pytest.mark.parametrize(
    ("items", "lengths", "slot"), [([0, 1], None, 2), ([], None, 0), ([0, 1], [3], 1), ([0, 1], [0], None)]
)
def test_a_list_that_is_shorter_than_its_users_is_closed(
    items: list[int], lengths: list[int] | None, slot: int | None
) -> None:
    assert best([5], items, Rules(ALL, lengths=None if lengths is None else np.array(lengths, np.int32)), slot) == -1


def test_a_list_of_a_segment_has_its_own_last_place() -> None:
    assert best([1, 5], [0, 1], Rules(ALL, lengths=np.array([2], np.int32)), slot=2) == 1


def test_a_pinned_place_is_closed() -> None:
    pinned = np.array([[True, False, False]])
    for slot, expected in ((0, NOBODY), (1, 5)):
        places = Places(np.array([[0, 1, 2]], np.int32), pinned, USER, Rules(ALL), slot)
        assert places.best(np.array([[5]], np.int32))[0] == expected


def test_where_shares_of_the_exposure_are_bounded_a_place_goes_to_its_like() -> None:
    """Items 2 and 5 are in the first group, 6 in both, 7 in none."""
    bounds = Bounds(np.array([0, 0, 0, 1, 1, 1, 2, 4, 4]), np.array([0, 0, 0, 1], np.int32), np.zeros(2), np.ones(2))
    assert best([7, 6, 5], [0, 1, 2], Rules(ALL, bounds=bounds)) == 5
    assert best([6, 5, 4], [0, 1, 7], Rules(ALL, bounds=bounds)) == 4


def test_domains_keep_the_places_of_their_quotas() -> None:
    """Items 0 to 3 are books, which have one to two of three places; the others films."""
    domains = np.repeat(np.array([0, 1], np.int32), 4)
    rules = Rules(ALL, domains=domains, domain_least=[0.4, 0.0], domain_most=[0.6, 1.0])
    assert best([5, 1], [4, 6, 0], rules) == 1, "of books there is one left, and it is owed"
    assert best([2, 5], [4, 0, 1], rules) == 2, "a book comes for a book"
    assert best([5, 2], [4, 0, 1], rules) == 5, "the other one is enough"
    assert best([2, 5], [0, 1, 4], rules) == 5, "there are two books already"
    assert best([2, 5], [0, 6, 4], rules) == 2
    assert best([5, 2], [4, 6, 7], rules) == 5, "there were too few before"
