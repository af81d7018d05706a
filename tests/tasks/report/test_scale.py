import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report.scale import TICKS, Scale


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-3), min_size=1, max_size=5))
def test_round_values_are_around_all_of_them(values: list[float]) -> None:
    scale = Scale.around(values)
    slack = 1e-6 * scale.step
    assert scale.low <= min(values) + slack and scale.high >= max(values) - slack
    assert 2 <= len(scale.ticks) <= TICKS + 2
    assert [scale.share(scale.low), scale.share(scale.high)] == [0, 1]


def test_what_is_near_nothing_is_seen_from_nothing_if_wanted() -> None:
    assert Scale.around([1, 3]).low == 0
    assert Scale.around([1, 3], from_nothing=False) == Scale(1.0, 3.0, 1.0)


@pytest.mark.parametrize(
    ("values", "share", "written"),
    [
        ([0.15, 0.3], False, ["0.15", "0.20", "0.25", "0.30"]),
        ([0, 2000], False, ["0", "1,000", "2,000"]),
        ([0.1, 0.25], True, ["10%", "15%", "20%", "25%"]),
        ([0.0, 0.015], True, ["0.0%", "0.5%", "1.0%", "1.5%"]),
        ([2.9, 2.97], False, ["2.900", "2.925", "2.950", "2.975"]),
    ],
)
def test_values_have_the_digits_that_tell_them_apart(values: list[float], share: bool, written: list[str]) -> None:
    scale = Scale.around(values, from_nothing=False)
    assert [scale.written(tick, share=share) for tick in scale.ticks] == written
