"""The page about a night: one HTML file that needs nothing else, with its figures as JSON in a file of its own."""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from tasks.arms.results import Arms
from tasks.report import charts
from tasks.report.arms import HEADINGS, arms_rows
from tasks.report.figures import figures
from tasks.report.long_term_page import long_term_html
from tasks.report.templates import templates
from tasks.store.files import Json, read_json, replaced, write_json
from tasks.store.paths import Night
from tasks.store.versions import code_version
from tasks.train.settings import PRIMARY

COLUMNS = {  # of the comparison: what a person decides by; all the others are on the page too, folded away
    PRIMARY: "NDCG", "recall": "recall", "hit_rate": "hit rate", "coverage": "coverage", "novelty": "novelty",
    "diversity": "diversity",
}  # fmt: skip
ABBREVIATIONS = {"ndcg", "map", "mrr", "rmse", "mae"}
LINES = 5  # models that a chart can show side by side
SLICES = 16  # that one chart can show


def write_report(night: Night) -> Path:
    """Write the report of a night, and return its path; an earlier one is replaced.

    Raises:
        NightrecError: the night has left no record.
    """
    found = figures(night)
    path = night.store.report(night.run_date)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), found)
    with replaced(path) as temporary:
        temporary.write_text(html(found), encoding="utf-8")
    _write_long_term(night, found["long_term"])
    return path


def _write_long_term(night: Night, found: Json) -> None:
    """Write the page about the long run; where a night has measured nothing of it there is none."""
    path = night.store.long_term(night.run_date)
    if not found:
        path.unlink(missing_ok=True)
        return
    with replaced(path) as temporary:
        temporary.write_text(long_term_html(str(night.run_date), found), encoding="utf-8")


def up_to_date(night: Night) -> bool:
    """Whether there is a page about a night, made by the code of today."""
    path = night.store.report(night.run_date)
    found = read_json(path.with_suffix(".json")) or {}
    parameters = found.get("parameters")
    return path.exists() and isinstance(parameters, dict) and parameters.get("code") == code_version()


def html(found: Json) -> str:
    """The page that shows the figures of a night."""
    shown = json.loads(json.dumps(found, default=str))  # what the JSON file says, and nothing else
    rows = arms_rows(Arms.of(shown["arms"])) if shown["arms"] else []
    more = {"arms_headings": HEADINGS, "arms_table": rows}
    return _template().render(**shown, **more, columns=COLUMNS, charts=_drawn(shown))


@cache
def _template() -> Template:
    environment = templates("tasks.report")
    environment.filters |= {
        "figure": _figure,
        "number": _number,
        "seconds": charts.seconds,
        "size": charts.size,
        "value": _shown_value,
        "words": _words,
    }
    return environment.get_template("template.html.j2")


def _drawn(found: Json) -> dict[str, Markup]:
    """The charts that there are figures for, by name."""
    measured = [row for row in found["models"] if PRIMARY in row.get("metrics", {})]
    label = f"NDCG@{found['record']['k'] or ''}".rstrip("@")
    compared = _important(found, [row["model"] for row in measured])
    of_users = [one for one in found["slices"] if one["metric"] == PRIMARY][:SLICES]
    of_items = [one for one in found["slices"] if one["metric"] != PRIMARY][:SLICES]
    stages = [one for one in found["stages"] if one["begin"] is not None]
    history = [one for one in found["history"] if one["metrics"] or one["status"] == "failed"]
    recent = found["data"]["recent"]
    covered = [row for row in measured if "coverage" in row["metrics"]]
    charts_by_name = {
        "accuracy": measured and partial(charts.accuracy, measured, label),
        "trade_off": covered and partial(charts.trade_off, covered, label),
        "users": of_users and partial(charts.by_slice, of_users, compared[:3], label),
        "items": of_items and partial(charts.by_slice, of_items, compared[:3], "recall of the items of the slice"),
        "learning": found["curves"] and partial(charts.learning, found["curves"]),
        "waterfall": stages and partial(charts.waterfall, stages),
        "nights": any(one["metrics"] for one in history) and partial(charts.nights, history, compared),
        "volume": recent and partial(charts.volume, recent),
        "arms": any(found["arms"].get("past", {}).values()) and partial(charts.arms, found["arms"]["past"]),
    }
    # What matplotlib writes is escaped: model names and slices are text to it.
    return {name: Markup(charts.unique_ids(draw(), name)) for name, draw in charts_by_name.items() if draw}


def _important(found: Json, ranked: list[str]) -> list[str]:
    """The models that charts show: the winner, the champion, the baseline, then the best of the others."""
    decision = found["decision"]
    first = [decision.get("winner"), (decision.get("champion") or {}).get("name")]
    first += [(decision.get("baseline") or {}).get("name")]
    past = [one["champion"] for one in reversed(found["history"])] if not ranked else []
    return list(dict.fromkeys(name for name in (*first, *ranked, *past) if name))[:LINES]


def _figure(value: Json | None) -> str:
    """A figure in as many digits as are worth reading."""
    return _number(None if value is None else value["value"])


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"


def _words(name: str) -> str:
    """The name of a column, a status or a metric as people write it."""
    return name.upper() if name in ABBREVIATIONS else name.replace("_", " ")


def _shown_value(value: Any) -> str:
    """A parameter as a person would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_shown_value, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown_value(inner)}" for key, inner in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
