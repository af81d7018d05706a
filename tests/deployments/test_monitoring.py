"""Alert rules and dashboard: they ask for metrics that there are, and have the shape that is wanted of them."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tasks.report.metrics import METRICS

FOLDER = Path(__file__).parents[2] / "deployments" / "monitoring"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


def asked(expression: str) -> set[str]:
    return set(re.findall(r"nightrec_\w+", expression))


def test_alerts_ask_for_metrics_that_there_are_and_say_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 8
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert asked(rule["expr"]) and asked(rule["expr"]) <= METRICS.keys(), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


def test_neither_alerts_nor_panels_ask_for_what_files_leave_out() -> None:
    used = set().union(*(asked(rule["expr"]) for rule in RULES), asked(json.dumps(PANELS)))
    assert used <= METRICS.keys() and "nightrec_export_age_seconds" not in used
    assert METRICS.keys() - used == {"nightrec_export_age_seconds", "nightrec_last_run_timestamp_seconds"}


def test_the_panels_lie_side_by_side_on_24_columns_and_filter_by_site() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        for target in panel["targets"]:
            assert '{site=~"$site"}' in target["expr"] and target["datasource"]["uid"] == "${datasource}"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "site"]


def test_the_scraper_sends_the_token_to_where_the_metrics_are() -> None:
    (job,) = yaml.safe_load((FOLDER / "scrape.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["metrics_path"] == "/metrics" and job["authorization"].keys() == {"credentials_file"}
