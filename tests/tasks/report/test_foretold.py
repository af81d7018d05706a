"""The report has what the arms will have done, in sentences and in a table."""

from tasks.report.foretold import foretold_figures
from tests.tasks.longterm.found import FOUND


def test_the_section_has_a_row_for_each_arm_and_each_signal() -> None:
    assert foretold_figures(None) == {}
    found = foretold_figures(FOUND)
    assert found["table"] == [("holdback", "", "", "", "doubt", "0", "")]
    assert [row[1:] for row in found["signal_table"]] == [
        ("visits", "20.0%", "does more later"),
        ("depth", "1.0%", "does less later"),
    ]
    assert found["about"][-1].startswith("No effect of an arm is known yet")
    assert found["arms"][0]["says"] == "holdback: fewer. Doubt it: why."
