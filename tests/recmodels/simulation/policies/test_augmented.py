"""A generator that writes into the log."""

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.simulation.known import Known, Pairs
from recmodels.simulation.policies import Augmented, MostPopular, PlausibleWriter, Trained
from tests.recmodels.simulation.policies.test_trained import known_on, lists_of
from tests.recmodels.simulation.tiny import Tiny


def written(known: Known, **options) -> Pairs:
    return PlausibleWriter(**options).write(known, np.random.default_rng(0))


class TestPlausibleWriter:
    def test_it_writes_so_many_for_everybody_who_is_there_of_what_is_out_and_new_to_them(self):
        known = known_on(0)
        pairs = written(known, per_user=4, weight=0.5)
        assert np.bincount(pairs.user, minlength=40).tolist() == (4 * known.here).tolist()
        assert known.out[pairs.item].all()
        assert not pairs.within(known.pairs).any()
        assert (pairs.weight == 0.5).all()
        assert (pairs.night == -1).all()

    def test_it_follows_popularity_as_strongly_as_it_is_told(self):
        known = known_on(3, Tiny(400))
        popularity = np.bincount(known.pairs.item, minlength=60)
        means = [
            popularity[written(known, popularity=strength, taste=0.0).item].mean() for strength in (0.0, 0.5, 1.0, 3.0)
        ]
        assert means == sorted(set(means))  # each more than the one before
        assert means[0] == pytest.approx(popularity[known.out].mean(), rel=0.15)

    def test_it_knows_tastes_as_well_as_it_is_told(self):
        """Items of a category that a user has chosen, as a share of what is written for them."""
        known = known_on(3, Tiny(400, before=1))
        liked = np.full(400, -1)
        liked[known.pairs.user] = known.category[known.pairs.item]
        shares = []
        for taste in (0.0, 1.0, 3.0):
            pairs = written(known, popularity=0.0, taste=taste)
            own = liked[pairs.user]
            shares.append(float((known.category[pairs.item] == own)[own >= 0].mean()))
        assert shares[0] == pytest.approx(0.25, abs=0.05)
        assert shares == sorted(set(shares))
        assert shares[-1] > 0.9

    @pytest.mark.parametrize(
        ("values", "message"),
        [({"per_user": 0}, "per_user is 0"), ({"popularity": -1}, "popularity is -1"), ({"weight": 0}, "weight is 0")],
    )
    def test_values_out_of_range_are_refused(self, values, message):
        with pytest.raises(ConfigError, match=message):
            PlausibleWriter(**values)


class Flooding:
    """Writes one item for everybody."""

    about = "flooding"

    def write(self, known: Known, rng: np.random.Generator) -> Pairs:
        n = len(known.users)
        night = np.full(n, known.night - 1, np.int32)
        return Pairs(known.users, np.full(n, 49, np.int32), night, np.full(n, 5, np.float32))


class TestAugmented:
    def test_the_model_learns_what_was_written_and_may_still_show_it(self):
        known = known_on(2)
        policy, plain = Augmented(MostPopular(), Flooding()), MostPopular()
        for one in (policy, plain):
            one.learn(2, known, np.random.default_rng(0))
        assert (lists_of(policy, known)[known.users, 0] == 49).sum() > 30
        assert not (lists_of(plain, known)[:, 0] == 49).any()

    @pytest.mark.slow
    def test_users_of_whom_nothing_is_known_get_lists_of_what_was_written_for_them(self):
        """The newcomers of night 2 have chosen nothing."""
        known = known_on(2)
        newcomers = np.arange(7, 40, 8)
        assert (np.diff(known.data.indptr)[newcomers] == 0).all()
        policy, plain = Augmented(Trained("item_knn")), Trained("item_knn")
        for one in (policy, plain):
            one.learn(2, known, np.random.default_rng(0))
        own = lists_of(policy, known)[newcomers]
        assert len(np.unique(own, axis=0)) == len(newcomers)
        assert len(np.unique(lists_of(plain, known)[newcomers], axis=0)) == 1

    def test_it_is_named_after_what_it_augments(self):
        assert Augmented(MostPopular()).name == "augmented_most_popular"
        assert "per_user=3" in Augmented(MostPopular()).about
