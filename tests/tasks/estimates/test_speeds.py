"""The speeds that come with the package."""

from tasks.estimates.formulas import DRIVERS
from tasks.estimates.speeds import Linear, fitted


def test_a_figure_is_a_fixed_part_and_so_much_of_each() -> None:
    assert Linear(fixed=1, each={"users": 2, "items": 3}).at({"users": 5, "items": 7, "pairs": 9}) == 32


def test_the_package_has_speeds_of_the_stages_and_of_the_models_that_compete_by_default() -> None:
    speeds = fitted()
    assert set(DRIVERS) - {"report"} == speeds.stages.keys()
    assert {"popularity", "item_knn", "als", "ease", "graph_filter", "content"} <= speeds.models.keys()
    assert speeds.machine.probe > 0
