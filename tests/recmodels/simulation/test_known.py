"""What a site knows on a night of a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmodels.simulation.behavior import Choices
from recmodels.simulation.known import EPOCH, Known, Log, Pairs, terms_of
from tests.recmodels.simulation.tiny import Tiny

DAY = 86_400_000_000


def choices_of(*rows: tuple[int, int, int]) -> Choices:
    """Of rows of user, item and night."""
    user, item, night = np.array(rows, np.int32).reshape(-1, 3).T
    return Choices(user, item, night, np.zeros(len(rows), np.int32))


def known_after(*parts: Choices, night: int = 9) -> Known:
    tiny = Tiny()
    log = Log(tiny.world)
    for part in parts:
        log.append(part)
    return log.known(night, tiny.here(night))


def rows_of(pairs: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.user.tolist(), pairs.item.tolist(), pairs.night.tolist(), strict=True))


class TestPairs:
    @given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6), max_size=4))
    def test_merged_night_by_night_they_are_what_one_sort_of_all_choices_gives(self, nights):
        """By the definition: of each pair the last choice, by user and then by time."""
        rows = [(user, item, night) for night, chosen in enumerate(nights) for user, item in chosen]
        merged = Pairs.none()
        for night in range(len(nights)):
            merged = merged.followed_by(Pairs.of(choices_of(*(row for row in rows if row[2] == night))))
        last = {(user, item): place for place, (user, item, _) in enumerate(rows)}
        expected = [rows[place] for place in sorted(last.values(), key=lambda place: (rows[place][0], place))]
        assert rows_of(merged) == expected


def test_terms_are_the_words_of_the_texts_by_how_seldom_they_are():
    """Of two items, both red: what only one of them has weighs more (idf 1 + log(3 / 2) against 1)."""
    terms = terms_of(["red 5", "red"]).toarray()
    rare = 1 + np.log(3 / 2)
    assert sorted(terms[0]) == pytest.approx(np.array([1, rare]) / np.hypot(1, rare))
    assert sorted(terms[1]) == [0, 1]
    assert terms_of(["", " "]).shape == (2, 0)


class TestKnown:
    def test_the_dataset_has_each_pair_once_with_the_date_of_its_last_night(self):
        data = known_after(choices_of((1, 5, -2), (0, 3, -1)), choices_of((1, 6, 0), (1, 5, 1))).data
        assert data.user_index.tolist() == [0, 1, 1]
        assert data.item_index.tolist() == [3, 6, 5]
        assert ((data.end - data.timestamp) / DAY).tolist() == [9.5, 8.5, 7.5]
        assert data.end == (EPOCH + 9) * DAY
        assert (data.n_users, data.n_items) == (40, 60)

    def test_what_is_not_out_and_what_was_chosen_is_scored_no_more(self):
        known = known_after(choices_of((1, 5, -2)), night=3)
        users = np.array([0, 1], np.int32)
        listed = np.isfinite(known.listed(np.zeros((2, 60)), users))
        assert not listed[:, 54:].any()
        assert np.flatnonzero(~listed[1, :54]).tolist() == [5]
        assert listed[0, :54].all()

    def test_what_a_generator_has_written_is_learned_from_and_still_may_be_shown(self):
        known = known_after(choices_of((1, 5, -2)))
        written = Pairs.of(choices_of((0, 2, 8), (1, 5, 8), (1, 7, 8)), weight=0.5)
        data = known.plus(written).data
        assert list(zip(data.user_index.tolist(), data.item_index.tolist(), data.weight.tolist(), strict=True)) == [
            (0, 2, 0.5),
            (1, 5, 1.0),  # chosen by themselves: it stays what it was
            (1, 7, 0.5),
        ]
        assert data.seen.indices.tolist() == [5]
        assert data.matrix.nnz == 3

    def test_what_was_known_stays_so_when_more_is_chosen(self):
        tiny = Tiny()
        log = Log(tiny.world)
        log.append(choices_of((1, 5, -2)))
        known = log.known(0, tiny.here(0))
        log.append(choices_of(*((user, item, 0) for user in range(40) for item in range(60))))
        assert len(known.choices) == 1
        assert len(known.data) == 1
        assert len(log.choices) == 2401
        assert log.choices.item[-1] == 59
