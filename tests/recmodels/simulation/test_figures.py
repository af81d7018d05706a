from recmodels.simulation.figures import BY_NAME, FIGURES


def test_each_figure_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert len(BY_NAME) == len(FIGURES)
    for one in FIGURES:
        assert one.name.islower() and one.title[0].isupper() and not one.title.endswith(".")
        assert one.means.endswith(".") and one.means.count(". ") == 0, f"{one.name}: one sentence"
        assert one.by_user or not one.total
