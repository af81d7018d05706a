"""The report shows what candidates would have earned, and nothing where nothing was drawn."""

from pathlib import Path

from recmodels.offpolicy.trust import Trust
from tasks.report.offpolicy import offpolicy_figures
from tasks.report.page import write_report
from tasks.store.files import read_json, write_json
from tasks.store.paths import Store
from tests.tasks.earned import FEW, log, value
from tests.tasks.reported import published
from tests.tasks.site import RUN_DATE


def test_values_are_shown_with_their_verdicts_and_what_is_refused_without_a_value(tmp_path: Path) -> None:
    night = Store(tmp_path).night(RUN_DATE)
    published(night, ["ease"])
    assert "would have earned" not in write_report(night).read_text(encoding="utf-8")
    found = log(value("als"), value("ease", 0.03), value("item_knn", 0.5, Trust.REFUSE, FEW))
    write_json(night.summary, (read_json(night.summary) or {}) | {"offpolicy": found.json_ready()})
    page = write_report(night).read_text(encoding="utf-8")
    for text in ("What the candidates would have earned", "+8.0% (+3.0% to +13.0%)", FEW, "800 of 10,000", "Switch-DR"):
        assert text in page
    rows = {row[0]: row for row in offpolicy_figures(found)["table"]}
    assert rows["item_knn"][1:5] == ("", "", "", "refuse") and rows["ease"][1] == "0.1"
    assert offpolicy_figures(None) == {}
