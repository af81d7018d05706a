"""The files of a finished replay: a table of figures by night and model, all that was found as JSON, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import DataRefused, NightrecError
from recmodels.messages import counted
from tasks.replay.found import found_of
from tasks.replay.gated import GATE, Published, by_the_gate
from tasks.replay.kept import Kept, kept
from tasks.replay.measures import MEASURES
from tasks.replay.panel import Panel, panel_of
from tasks.replay.sentences import sentences
from tasks.replay.settings import ReplaySpec
from tasks.store.files import Json, replaced, write_json

FIGURES, RESULT, PAGE = "figures.parquet", "replay.json", "replay.html"
ROWS = pa.schema(
    [
        ("run_date", pa.date32()),
        ("model", pa.string()),
        ("figure", pa.string()),
        ("value", pa.float64()),
        ("users", pa.int32()),  # that the night has lists for
        ("judged", pa.int32()),  # whose lists were held against what they did next
    ]
)


def write_result(spec: ReplaySpec, nights: Sequence[Json]) -> Json:
    """Write the files, and return what is in the JSON.

    Raises:
        DataRefused, NightrecError: no night was measured, with the reason of the first.
    """
    dates = {night["run_date"] for night in nights if night["status"] != "refused"}  # by today's settings
    mine = [one for one in kept(spec.store) if str(one.run_date) in dates and one.model in spec.candidates]
    if not mine:
        first = nights[0]
        why = first.get("reason") or next(iter(first.get("failed", {}).values()), "nothing was measured")
        kind = DataRefused if first["status"] == "refused" else NightrecError
        raise kind(f"No night of the replay could be measured. {first['run_date']}: {why}")
    models = [name for name in spec.candidates if any(one.model == name for one in mine)]
    mine.sort(key=lambda one: (one.run_date, models.index(one.model)))
    published: list[Published] = []
    if len(models) > 1:
        chosen, published = by_the_gate(mine, spec.gate)
        mine, models = [*mine, *chosen], [*models, GATE]
    panel = panel_of(mine, models)
    of_models, of_pairs = found_of(panel)
    summaries = {(one.run_date, one.model): one.summary for one in mine}
    result: Json = {
        "name": spec.name,
        "first": str(spec.first),
        "last": str(spec.last),
        "every": spec.every,
        "horizon": spec.horizon,
        "k": spec.export.k,
        "models": models,
        "measures": [{"name": one.name, "title": one.title, "better": one.better, "per": one.per} for one in MEASURES],
        "nights": [_night(night, mine) for night in nights],
        "published": [{"run_date": str(one.run_date), "model": one.model, "reason": one.reason} for one in published],
        "figures": _figures(panel),
        "of_models": of_models,
        "pairs": of_pairs,
        "seconds": {
            name: round(sum(one["seconds"] for (_, model), one in summaries.items() if model == name), 1)
            for name in models
            if name != GATE
        },
    }
    result["sentences"] = sentences(result)
    _write(spec, panel, mine, result)
    return result


def _night(night: Json, mine: Sequence[Kept]) -> Json:
    """A night as it ended, with how many users its figures are of."""
    about = next((one.summary for one in mine if str(one.run_date) == night["run_date"]), None)
    counts = {name: None if about is None else about[name] for name in ("users", "judged", "warm", "beyond")}
    return {**night, **counts}


def _figures(panel: Panel) -> Json:
    """By measure and model, a value a night; None where there is none."""
    return {
        measure.name: {
            name: [_or_none(value) for value in panel.nights[:, m, n].tolist()] for m, name in enumerate(panel.models)
        }
        for n, measure in enumerate(MEASURES)
    } | {"run_date": [str(one) for one in panel.dates]}


def _or_none(value: float) -> float | None:
    return value if isfinite(value) else None


def _write(spec: ReplaySpec, panel: Panel, mine: Sequence[Kept], result: Json) -> None:
    from tasks.replay.page import html

    rows: list[dict[str, Any]] = []
    for one in mine:
        night, model = panel.dates.index(one.run_date), panel.models.index(one.model)
        about = {"run_date": one.run_date, "model": one.model}
        about |= {"users": one.summary["users"], "judged": one.summary["judged"]}
        for n, measure in enumerate(MEASURES):
            rows.append(about | {"figure": measure.name, "value": _or_none(float(panel.nights[night, model, n]))})
    with replaced(spec.root / FIGURES) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), temporary, compression="zstd")
    with replaced(spec.root / PAGE) as temporary:
        temporary.write_text(html(result), encoding="utf-8")
    write_json(spec.root / RESULT, result)  # last: who finds it finds all


def told(result: Json) -> str:
    """How the nights of a replay ended, in a line."""
    ends = [night["status"] for night in result["nights"]]
    done = sum(end in ("measured", "before") for end in ends)
    others = [f"{ends.count(end)} {end}" for end in ("refused", "failed") if end in ends]
    return f"{counted(done, 'night')} measured" + (f", {', '.join(others)}" if others else "")
