"""A fitted market that is read back lives the same days."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.market import Market
from recmodels.simulation.market_file import load, save
from recmodels.simulation.market_settings import MarketSettings


@pytest.fixture(scope="module")
def market() -> Market:
    """A market that is fitted to one that is made up."""
    made_up = Market.generated(MarketSettings(history_days=10, visits=1.0), n_users=40, n_items=30, seed=1, nights=5)
    past = made_up.history()
    pair = past.user.astype(np.int64) * 30 + past.item
    first = np.unique(pair, return_index=True)[1]
    data = Dataset.from_arrays(
        past.user[first], past.item[first], timestamp=(past.night[first] + 20).astype(np.int64) * 86_400_000_000,
        n_users=40, n_items=30,
    )  # fmt: skip
    return Market.fitted(data, MarketSettings(), 3, 5, texts=made_up.texts(), category=made_up.world.category)


@pytest.mark.slow
def test_a_market_that_is_read_back_lives_the_same_days(market: Market, tmp_path: Path) -> None:
    save(market, tmp_path / "market.npz")
    again = load(tmp_path / "market.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["market.npz"]
    assert again.fit == market.fit and again.settings == market.settings and again.texts() == market.texts()
    nobody = np.full((40, 3), NOTHING, np.int32)
    for night in range(2):
        one, other = (each.react(nobody, night, np.random.default_rng(night)) for each in (market, again))
        assert one.choices.item.tolist() == other.choices.item.tolist() and one.worth.tolist() == other.worth.tolist()
    for name, values in market.state().items():
        assert np.array_equal(values, again.state()[name]), name


def test_a_damaged_file_says_what_to_do(market: Market, tmp_path: Path) -> None:
    path = tmp_path / "market.npz"
    save(market, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(NightrecError, match=r"is damaged .*begin the simulation again with --fresh"):
        load(path)
