import re
from dataclasses import replace
from itertools import pairwise

import pytest

from recmodels.simulation.comparison import Comparison, compare
from recmodels.simulation.figures import FIGURES
from recmodels.simulation.offpolicy import Valued
from tasks.report.verdict import About, Likeness, verdict_html
from tests.recmodels.simulation.made_up import run

EVIL = "<script>alert(1)</script>"
ABOUT = About("spring", "an invented market", 5_000, 2_000, 10, 0, "nightrec's own model")
LEVELS = {one.name: 10.0 + n for n, one in enumerate(FIGURES)}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    runs = {"base": LEVELS, "other": LEVELS | {"accuracy": 20.0, "total_utility": 5.0}, "oracle": LEVELS}
    return compare({name: [run(**one)] for name, one in runs.items()}, "base", unattainable=["oracle"])


def test_the_page_needs_nothing_else_and_says_its_limits_first(comparison: Comparison) -> None:
    page = verdict_html(ABOUT, comparison)
    assert "<script" not in page and "http" not in re.sub(r'http-equiv="[^"]*"', "", page) and "url(" not in page
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels.count(1) == 1 and all(after <= before + 1 for before, after in pairwise(levels))
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings[:3] == ["What this can tell, and what not", "The verdict", "Tonight against the long run"]
    assert "After 28 nights no policy is of more use than base, as far as this can show." in page
    assert "better tonight, worse in the long run" in page and "no site can have it" in page
    assert "Set <code>simulate.repetitions</code>" in page


def test_every_figure_is_drawn_tabled_and_explained(comparison: Comparison) -> None:
    page = verdict_html(ABOUT, comparison)
    for figure in FIGURES:
        assert page.count(f"<small>{figure.name}</small>") >= 2
    assert page.count("<figure>") == len(FIGURES) + len(comparison.frontiers)


def test_names_and_messages_are_texts(comparison: Comparison) -> None:
    policies = [replace(one, says=EVIL) for one in comparison.standings]
    about = replace(ABOUT, name=EVIL, limits=[EVIL], likeness=[Likeness(EVIL, 0.5, None)], failed={"large": EVIL})
    page = verdict_html(about, replace(comparison, standings=policies))
    assert "<script" not in page and page.count("&lt;script&gt;") == 4 + len(policies) + 1  # in the title, too


def test_what_was_fitted_to_a_site_is_compared_with_it(comparison: Comparison) -> None:
    about = replace(ABOUT, likeness=[Likeness("choices of a user", 5.25, 5.0)])
    page = verdict_html(about, comparison)
    assert re.search(
        r"choices of a user</td><td data-label=\"site\">5.25</td><td data-label=\"simulated\">5</td>", page
    )
    assert "How people react to lists cannot be told" in page


def test_what_logs_tell_is_shown_beside_the_truth(comparison: Comparison) -> None:
    assert "What the logs would have told" not in verdict_html(ABOUT, comparison)
    values = [Valued("explored", EVIL, 0.5, 0.4, 0.6, 0.7), Valued("explored", "als", 0.25, None, None, 0.3)]
    page = verdict_html(ABOUT, replace(comparison, offpolicy=values))
    assert "Intervals from the logs hold the true value for 0 of 1 proposer" in page
    assert '0.4000 to 0.6000</td><td data-label="truth">0.7000</td><td data-label="interval holds it">no</td>' in page


def test_several_runs_are_told_as_such() -> None:
    runs = {name: [run(n, **LEVELS) for n in range(3)] for name in ("base", "other")}
    page = verdict_html(ABOUT, compare(runs, "base"))
    assert "3 runs with other users and other chances" in page
    assert "Least squares over the nights of each run" in page
