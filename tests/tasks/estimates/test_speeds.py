"""The speeds that come with the package, and how they are fitted."""

from typing import Any

import pytest

from docs.site.curves import Curves, Machine, Model, Night, Stage, read
from docs.site.speeds import fit, off, whole, without
from recmodels.knn.item_knn import ItemKNN
from tasks.estimates.formulas import DRIVERS
from tasks.estimates.speeds import Linear, fitted

WITHIN = 0.3  # of what was measured, more or less


def test_a_figure_is_a_fixed_part_and_so_much_of_each() -> None:
    assert Linear(fixed=1, each={"users": 2, "items": 3}).at({"users": 5, "items": 7, "pairs": 9}) == 32


def test_the_package_has_speeds_of_the_stages_and_of_the_models_that_compete_by_default() -> None:
    speeds = fitted()
    assert set(DRIVERS) - {"report"} == speeds.stages.keys()
    assert {"popularity", "item_knn", "als", "ease", "graph_filter", "content"} <= speeds.models.keys()
    assert speeds.machine.probe > 0


@pytest.fixture(scope="module")
def curves() -> Curves:
    found = read()
    if len(found.nights) < 4:
        pytest.skip("fewer than four sizes tell little of what lies between them")
    return found


def test_each_stage_and_model_that_was_measured_is_within_30_percent(curves: Curves) -> None:
    assert _far(curves, off(curves, lambda night: fitted())) == []


def test_whole_nights_and_those_after_are_within_30_percent(curves: Curves) -> None:
    for night in curves.nights:
        ratios = whole(night, fitted(), curves.machine.cores)
        assert all(abs(ratio - 1) <= WITHIN for ratio in ratios.values()), (night.interactions, ratios)
        assert ("s of the one after" in ratios) == (night.after is not None)


def test_a_size_in_between_is_foretold_by_the_others(curves: Curves) -> None:
    followed = [night for night in curves.nights if night.after is not None]
    for left_out, of_following in (curves.nights[-2], False), (followed[-2], True):
        found = off(curves, lambda night, left_out=left_out: fit(without(curves, left_out), 1.0))
        asked = {name: by for name, by in found.items() if name.startswith("the night after") == of_following}
        assert asked and _far(curves, asked, left_out) == []


def test_figures_are_fitted_with_what_they_grow_with() -> None:
    nights = [night(10**6), night(10**7), night(10**8)]
    curves = Curves(machine=Machine(cores=2, cpu="", memory=2**34, commit="", date=""), nights=nights)
    found = fit(curves, 0.5)
    assert found.stages["ingest"].cpu == Linear(fixed=3.0, each={"interactions": 2e-6})
    assert found.stages["ingest"].parallel == pytest.approx(0.8)  # 0.6 seconds of a CPU second on two cores
    assert found.stages["ingest"].disk.each["interactions"] == 10.0
    knn = found.models["item_knn"]
    assert (knn.fit.fixed, knn.fit.each["work"]) == (pytest.approx(1.0, rel=1e-3), pytest.approx(1e-8, rel=1e-3))
    assert "transformer" not in found.models  # its minutes ended it: that is no measure of its speed
    assert found.start == 0.5  # of the seconds of a training, those beside fitting, listing and reading
    assert (found.pairs, found.largest, found.machine.probe) == (0.5, 10**8, 0.5)
    ratios = off(curves, lambda night: found)
    assert all(ratio == pytest.approx(1, abs=0.02) for ratio in ratios["ingest, s"].values())


def test_rows_by_ranges_have_a_speed_of_their_own_where_they_were_measured() -> None:
    nights = [_prepared(night(n), n * (2e-6 if ranges > 1 else 1e-6), ranges)
              for n, ranges in ((10**6, 1), (10**7, 1), (10**8, 4))]  # fmt: skip
    machine = Machine(cores=2, cpu="", memory=2**34, commit="", date="")
    found = fit(Curves(machine=machine, nights=nights), 0.5).stages["prepare"].cpu
    assert (found.each["in_memory"], found.each["by_ranges"]) == (pytest.approx(1e-6), pytest.approx(2e-6))
    alone = fit(Curves(machine=machine, nights=nights[:2]), 0.5).stages["prepare"].cpu
    assert alone.each == {"interactions": pytest.approx(1e-6)}


def _prepared(one: Night, seconds: float, ranges: int) -> Night:
    """A night that has prepared its log in so many seconds."""
    prepare = one.stages[0].model_copy(update={"name": "prepare", "seconds": seconds, "cpu_seconds": seconds})
    return one.model_copy(update={"stages": [*one.stages, prepare], "ranges": ranges})


def test_nights_that_follow_others_are_fitted_by_themselves() -> None:
    nights = [one.model_copy(update={"after": _faster(one)}) for one in map(night, (10**6, 10**7, 10**8))]
    curves = Curves(machine=Machine(cores=2, cpu="", memory=2**34, commit="", date=""), nights=nights)
    found = fit(curves, 0.5)
    assert found.following is not None
    assert found.stages["ingest"].cpu == Linear(fixed=3.0, each={"interactions": 2e-6})
    assert found.following.stages["ingest"].cpu == Linear(fixed=0.6, each={"interactions": 4e-7})
    assert found.following.models["item_knn"].fit.each["work"] == pytest.approx(2e-9, rel=1e-3)
    assert found.following.models["transformer"].fit.at({"work": 0}) + 1 > 1  # its minutes did not end it
    ratios = off(curves, lambda night: found)
    assert {"the night after: ingest, s", "the night after: item_knn, fit s"} <= ratios.keys()
    assert all(ratio == pytest.approx(1, abs=0.02) for ratio in ratios["the night after: ingest, s"].values())


def _faster(first: Night) -> Night:
    """The night after it: a fifth of its times, and no minutes that end a training."""
    stages = [one.model_copy(update={"seconds": one.seconds / 5, "cpu_seconds": (one.cpu_seconds or 0) / 5})
              for one in first.stages]  # fmt: skip
    models = [one.model_copy(update={"fit_cpu_seconds": one.fit_cpu_seconds / 5, "bounded": False})
              for one in first.models]  # fmt: skip
    return first.model_copy(update={"stages": stages, "models": models})


def night(interactions: int) -> Night:
    users, items, pairs = interactions // 100, round(20 * interactions**0.5), interactions // 2
    seconds = 3 + 2e-6 * interactions
    ingest = Stage(
        name="ingest", seconds=0.6 * seconds, cpu_seconds=seconds, peak_bytes=2**29, disk_bytes=10 * interactions
    )
    took = 1 + 1e-8 * ItemKNN().work(users, items, pairs)
    train = Stage(name="train item_knn", seconds=took + 2.0, cpu_seconds=took + 1.5, peak_bytes=2**30, disk_bytes=0)
    model: dict[str, Any] = {"list_seconds": 1.0, "list_cpu_seconds": 1.0, "listed_users": 5000, "peak_bytes": 2**30}
    knn = {"name": "item_knn", "recommender": "item_knn", "fit_seconds": took, "fit_cpu_seconds": took}
    bounded = {"name": "transformer", "recommender": "transformer", "fit_seconds": 60.0, "fit_cpu_seconds": 60.0}
    return Night(
        interactions=interactions, users=users, items=items, pairs=pairs, seconds=1, cpu_seconds=1, process_bytes=1,
        peak_bytes=1, disk_bytes=1, memory_bytes=2**35, commit="", date="", stages=[ingest, train],
        models=[
            Model(**knn, **model, parameters={}, minutes=None, bounded=False),
            Model(**bounded, **model, parameters={}, minutes=1.0, bounded=True),
        ],
    )  # fmt: skip


def _far(curves: Curves, found: dict[str, dict[int, float]], night: Night | None = None) -> list[str]:
    sizes = [one.interactions for one in ([night] if night else curves.nights)]
    return [
        f"{name} of {size:,}: {by_size[size]:.2f}"
        for name, by_size in found.items()
        for size in sizes
        if size in by_size and abs(by_size[size] - 1) > WITHIN
    ]
