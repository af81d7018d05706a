"""Laws are recovered from points that follow them, and sizes differ in nothing but what is varied."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from docs.site.laws import saturating, straight
from docs.site.scaling import SIZES, Figure, Point, read
from recmodels.data.dataset import Dataset
from tests.benchmarks.scaling import MIDDLE, Size, figure, laws, of_users, ordered, parameters, put_together

GRID = np.array(ordered(), float) / np.array(MIDDLE)


def network_and_data(exponents: tuple[float, float], noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sizes [27, 2], and what comes closer to 0.1 by these exponents."""
    network, data = 1e5 * GRID[:, 0] ** 2 * GRID[:, 1], 1e5 * GRID[:, 2]
    values = 0.1 - 0.02 * (network / 1e5) ** -exponents[0] - 0.01 * (data / 1e5) ** -exponents[1]
    return np.stack((network, data), axis=1), values + noise * np.random.default_rng(0).normal(size=27)


def test_a_straight_law_is_recovered_exactly() -> None:
    found = straight(GRID, 0.07 + np.log2(GRID) @ [0.002, -0.001, 0.005])
    assert found.middle == pytest.approx(0.07) and found.residual == pytest.approx(0, abs=1e-12)
    assert [slope.value for slope in found.slopes] == pytest.approx([0.002, -0.001, 0.005])


def test_slopes_and_errors_are_those_of_ordinary_least_squares() -> None:
    size, values = np.array([1.0, 2, 4, 8]), np.array([0.1, 0.2, 0.25, 0.4])
    found, (slope,) = straight(size[:, None], values), straight(size[:, None], values).slopes
    expected = stats.linregress(np.log2(size), values)
    assert (slope.value, slope.error) == pytest.approx((expected.slope, expected.stderr))
    assert found.middle == pytest.approx(expected.intercept)
    assert slope.users_error is None


def test_the_error_over_users_is_that_of_their_own_slopes() -> None:
    size = np.array([1.0, 2, 4])
    users = np.array([[0.0, 0.2, 0.1], [0.1, 0.2, 0.4], [0.2, 0.2, 0.7]])  # slopes of .1, 0 and .3 a doubling
    (slope,) = straight(size[:, None], users).slopes
    assert slope.value == pytest.approx(0.4 / 3)
    assert slope.users_error == pytest.approx(stats.sem([0.1, 0.0, 0.3]))
    assert slope.error == pytest.approx(0, abs=1e-12)  # their means lie on a line


def test_a_law_with_a_ceiling_is_recovered() -> None:
    found = saturating(*network_and_data((0.5, 1.0)))
    assert [one.value for one in found.exponents] == pytest.approx([0.5, 1.0])
    assert found.ceiling is not None and found.ceiling.value == pytest.approx(0.1)
    assert found.p < 1e-6


def test_noise_leaves_the_truth_within_the_region() -> None:
    found = saturating(*network_and_data((0.5, 1.0), noise=2e-4))
    for one, truth in zip(found.exponents, (0.5, 1.0), strict=True):
        assert one.low <= truth and (one.high is None or truth <= one.high)
    assert found.ceiling is not None and found.ceiling.low <= 0.1
    assert found.residual == pytest.approx(2e-4, rel=0.5)


def test_points_on_a_straight_line_have_no_ceiling() -> None:
    sizes, _ = network_and_data((1.0, 1.0))
    values = 0.07 + np.log2(sizes / 1e5) @ [0.001, 0.004]
    found = saturating(sizes, values)
    assert [one.value for one in found.exponents] == [0, 0] and found.ceiling is None
    noisy = saturating(sizes, values + 2e-4 * np.random.default_rng(0).normal(size=27))
    assert all(one.low == 0 for one in noisy.exponents) and noisy.p > 0.05
    assert noisy.ceiling is None or noisy.ceiling.high is None


def test_where_growing_does_harm_there_is_no_ceiling() -> None:
    sizes, values = network_and_data((0.5, 1.0))
    assert saturating(sizes, -values).ceiling is None


def test_the_corners_and_the_middle_come_first_from_cheap_to_dear() -> None:
    sizes = ordered()
    assert len(set(sizes)) == 27
    assert {*sizes[:9]} == {Size(d, n, s) for d in (32, 128) for n in (1, 3) for s in (0.25, 1.0)} | {Size(64, 2, 0.5)}
    assert (sizes[0], sizes[8]) == (Size(32, 1, 0.25), Size(128, 3, 1.0))


def test_as_many_steps_are_waited_for_with_less_data() -> None:
    quarter, all_of_it = (parameters(Size(64, 2, share), {"epochs": 10, "patience": 3}) for share in (0.25, 1.0))
    assert (quarter["epochs"], quarter["patience"]) == (40, 12)
    differing = {name for name, value in all_of_it.items() if quarter[name] != value}
    assert all_of_it["epochs"] == 10 and differing == {"epochs", "patience"}


def test_some_users_keep_their_items_in_order() -> None:
    data = Dataset.from_arrays([0, 0, 1, 2, 2], [3, 1, 2, 4, 0], n_users=3, n_items=6)
    some = of_users(data, np.array([0, 2]))
    assert (some.n_users, some.n_items) == (2, 6)
    assert some.user_index.tolist() == [0, 0, 1, 1] and some.item_index.tolist() == [3, 1, 4, 0]


def test_differences_are_paired() -> None:
    found = figure(np.array([1.0, 0.5, 0.0]), np.array([0.9, 0.4, -0.1]))
    assert (found.value, found.error) == pytest.approx((0.5, 0.5 / np.sqrt(3)))
    assert (found.gained, found.gained_error) == pytest.approx((0.1, 0.0))


def point(size: Size, ndcg: float) -> Point:
    costs = {"train_cpu_seconds": size.dim * size.share, "list_cpu_seconds": float(size.layers), "peak_bytes": 1}
    counts = {"users": 10, "interactions": round(100 * size.share), "vector_parameters": 1}
    counts |= {"network_parameters": size.layers * size.dim**2, "epochs": 3, "best_epoch": 2}
    about = {"validation_ndcg": 0.1, "bounded": False, "commit": "c", "date": "d"}
    known = Figure(value=ndcg, error=0.0)
    return Point.model_validate({**size._asdict(), **costs, **counts, **about, "hr": known, "ndcg": known})


def test_costs_are_factors_of_a_doubling() -> None:
    sizes = ordered()
    found = laws([point(size, 0.1) for size in sizes], np.random.default_rng(0).random((27, 5)))
    train, lists = (found["straight"][name].slopes for name in ("train_cpu_seconds", "list_cpu_seconds"))
    assert [slope.value for slope in train] == pytest.approx([1, 0, 1], abs=1e-9)
    assert [lists[0].value, lists[2].value] == pytest.approx([0, 0], abs=1e-9)
    assert lists[1].value == pytest.approx(1)
    assert found["saturating"] is not None and found["by_share"].keys() == {0.25, 0.5, 1.0}
    corners = laws([point(size, 0.1) for size in sizes[:9]], np.zeros((9, 5)))  # and the middle
    assert corners["straight"] and corners["saturating"] is not None and corners["by_share"] == {}
    few = laws([point(size, 0.1) for size in sizes[:6]], np.zeros((6, 5)))
    assert few == {"straight": {}, "by_share": {}, "saturating": None}


def test_a_larger_network_is_fitted_for_each_share_alone() -> None:
    sizes = ordered()
    worth = {0.25: 0.0, 0.5: 0.01, 1.0: 0.02}  # of twice the width
    values = np.array([worth[size.share] * np.log2(size.dim / 64) + 0.003 * np.log2(size.layers / 2) for size in sizes])
    found = laws([point(size, 0.1) for size in sizes], values[:, None] + np.array([0.1, 0.3]))["by_share"]
    for share, law in found.items():
        assert [slope.value for slope in law.slopes] == pytest.approx([worth[share], 0.003])
        assert law.middle == pytest.approx(0.2)


def test_what_is_there_is_put_together_beside_other_data(tmp_path: Path) -> None:
    options = argparse.Namespace(data="beauty", folder=tmp_path, out=tmp_path / "out.json", epochs=7, set="")
    for size, users in ((MIDDLE, [0.0, 0.5]), (Size(32, 1, 0.25), [1.0, 0.0])):
        given = parameters(size, {"epochs": 7})
        content = {"parameters": given, "point": point(size, 9.0).model_dump(mode="json"), "ndcg": users}
        (tmp_path / f"beauty-{size}.json").write_text(json.dumps(content))
    put_together(options)
    options.data = "ml1m"
    put_together(options)  # nothing is there
    studies = read(options.out).studies
    assert studies.keys() == {"beauty"}
    small, middle = studies["beauty"].points
    assert (small.dim, small.ndcg.value, small.hr.value, small.hr.gained) == (32, 0.5, 0.5, 0.0)
    assert (middle.ndcg.value, middle.ndcg.gained) == (0.25, 0.0)
    options.data, options.epochs, options.out = "beauty", 8, tmp_path / "other.json"
    put_together(options)  # points of other parameters are none of these
    assert not options.out.exists()


def test_all_sizes_are_three() -> None:
    assert all(len(set(values)) == 3 and sorted(values) == list(values) for values in SIZES.values())
