import re
from itertools import pairwise
from xml.etree import ElementTree

from tasks.report.curves import APART, Curve, Spot, curves, sample, spots

EVIL = "<b>&\"'"


def texts(svg: str, role: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter("text") if role in one.get("class", "").split()]


def test_lines_end_in_letters_that_do_not_cover_each_other() -> None:
    lines = [
        Curve(letter, f"s{n}", letter, [(10, 1.0, None, None), (20, 2.0, None, None)]) for n, letter in enumerate("ABC")
    ]
    heights = sorted(float(one.get("y", "0")) for one in texts(curves("Same", lines), "letter"))
    assert all(above + APART <= below + 0.1 for above, below in pairwise(heights))
    assert heights[-1] <= 190


def test_a_band_is_drawn_where_it_is_known() -> None:
    known = Curve("A", "s0", "a", [(1, 1.0, 0.5, 1.5), (2, 2.0, 1.5, 2.5), (3, 3.0, None, None)])
    drawn = ElementTree.fromstring(curves("With", [known]))
    (band,) = drawn.iter("polygon")
    assert len(band.get("points", "").split()) == 4
    assert not list(
        ElementTree.fromstring(curves("Without", [Curve("A", "s0", "a", [(1, 1.0, None, None)])])).iter("polygon")
    )


def test_who_does_not_see_a_drawing_is_told_what_it_shows() -> None:
    drawn = curves("Recall", [Curve("A", "s0", EVIL, [(4, 0.5, None, None), (100, 0.25, None, None)])], share=True)
    assert ElementTree.fromstring(drawn).findtext("desc") == f"{EVIL}: 50.0% at night 4, 25.0% at night 100."
    drawn = spots("Both", [Spot("s0", EVIL, 0.1, 5, True)], "below")
    assert ElementTree.fromstring(drawn).findtext("desc") == f"{EVIL}: 0.1 and 5."


def test_the_frontier_joins_its_points_from_left_to_right() -> None:
    points = [Spot("s0", "a", 3, 1, True), Spot("s1", "b", 1, 3, True), Spot("rest", "c", 1, 1, False)]
    drawn = ElementTree.fromstring(spots("Both", points, "below"))
    (line,) = (one for one in drawn.iter("polyline") if one.get("class") == "frontier")
    (left, high), (right, low) = ([float(end) for end in place.split(",")] for place in line.get("points", "").split())
    assert left < right and high < low  # up is less in a drawing
    assert [one.get("class") for one in drawn.iter("circle")] == ["spot s0 on", "spot s1 on", "spot rest"]


def test_a_sample_for_the_legend_has_the_pattern_and_the_letter() -> None:
    assert re.search(r'class="line s2".*class="letter s2"[^>]*>C<', sample("s2", "C"))
