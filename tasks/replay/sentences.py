"""What a replay has found, in a few sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from math import floor, log10

from recmodels.messages import counted
from tasks.replay.found import Number, OfModel, OfPair, certain
from tasks.replay.gated import GATE
from tasks.replay.measures import BY_NAME, Measure, shown
from tasks.store.files import Json

PRIMARY = "ndcg"
DRIFTS = {
    "exposure_gini": ("Gini", "exposure gathers on fewer items", "exposure spreads over more items"),
    "popularity_lift": ("lift", "lists lean more to popular items", "lists lean less to popular items"),
    "miscalibration": ("distance", "lists move away from their users' mix", "lists move towards their users' mix"),
    "novelty": ("bits", "lists become less obvious", "lists become more obvious"),
}
"""What a figure is called in a sentence, and what it means that it grows, and that it falls."""
LITTLE = 0.02  # of a level: a change that is less is told in the table alone


def sentences(result: Json) -> list[str]:
    """Who was right most often; what the night's own comparison was worth; the catalogue; and what changes."""
    of_models: list[OfModel] = result["of_models"]
    pairs: list[OfPair] = result["pairs"]
    alone = [one for one in of_models if one["model"] != GATE]
    days = date.fromisoformat(result["last"]) - date.fromisoformat(result["first"])
    found = [
        _right(result, alone, pairs),
        _with_history(of_models),
        _chosen(result),
        _gated(result, of_models, pairs),
        _catalogue(alone),
        *_drifts(alone, days.days),
    ]
    return [one for one in found if one]


def ranked(of_models: Sequence[OfModel], measure: str) -> list[tuple[str, float]]:
    """The models that have a figure, the highest level first."""
    levels = [(one["model"], one["level"]["value"]) for one in of_models if one["measure"] == measure and one["level"]]
    return sorted(levels, key=lambda one: -one[1])


def difference(pairs: Sequence[OfPair], model: str, other: str, measure: str) -> Number | None:
    """How much more of a figure a model has than another."""
    for one in pairs:
        if one["measure"] == measure and {one["model"], one["other"]} == {model, other}:
            return one["level"] if one["model"] == model else negative(one["level"])
    return None


def negative(one: Number | None) -> Number | None:
    """The same difference seen from the other side."""
    if one is None:
        return None
    low, high = (None if end is None else -end for end in (one["high"], one["low"]))
    return Number(value=-one["value"], low=low, high=high)


def _right(result: Json, of_models: Sequence[OfModel], pairs: Sequence[OfPair]) -> str:
    order = ranked(of_models, PRIMARY)
    if not order:
        return "What people did next is not known for any of these nights, so nobody can tell how right lists were."
    best, value = order[0]
    nights = max(one["nights"] for one in of_models if one["measure"] == PRIMARY)
    said = f"{best} was right most often: NDCG@{result['k']} {value:.4f} of what people did next, over "
    said += counted(nights, "night")
    if len(order) < 2:
        return f"{said}."
    second, other = order[1]
    apart = difference(pairs, best, second, PRIMARY)
    if apart is None or not other:
        return f"{said}."
    if apart["low"] is None or apart["high"] is None:
        return f"{said}; {second} is next with {other:.4f}."
    ends = f"{apart['low'] / other:+.1%} to {apart['high'] / other:+.1%}"
    doubt = "" if certain(apart) else ", which may be chance"
    return f"{said}, {apart['value'] / other:+.1%} against {second} ({ends}){doubt}."


def _with_history(of_models: Sequence[OfModel]) -> str:
    """The same for those of whom the night knew something: all others have lists of what is popular."""
    order = ranked(of_models, "ndcg_warm")
    return f"For users with a history: {', '.join(f'{model} {value:.4f}' for model, value in order)}." if order else ""


def _chosen(result: Json) -> str:
    """How well the night's own comparison foretells who is right."""
    tonight, later = result["figures"]["holdout_ndcg"], result["figures"][PRIMARY]
    models, nights = _candidates(result), range(len(result["figures"]["run_date"]))
    there = [n for n in nights if all(tonight[m][n] is not None and later[m][n] is not None for m in models)]
    if len(models) < 2 or not there:
        return ""
    chosen = [max(models, key=lambda m: tonight[m][n]) for n in there]
    right = sum(later[m][n] >= max(later[o][n] for o in models) for m, n in zip(chosen, there, strict=True))
    return (
        f"On {right} of {counted(len(there), 'night')} the model that was best on the night's own holdout was best "
        "afterwards, too."
    )


def _gated(result: Json, of_models: Sequence[OfModel], pairs: Sequence[OfPair]) -> str:
    """What the gate would have published, and what came of that."""
    winners = [one["model"] for one in result["published"] if one["model"]]
    if not winners:
        return ""
    nights = joined(f"{model} on {count}" for model, count in Counter(winners).most_common())
    changes = sum(one != other for one, other in pairwise(winners))
    said = f"The gate would have published {nights} of {counted(len(result['published']), 'night')}"
    said += f", with {counted(changes, 'change')}"
    order = ranked(of_models, PRIMARY)
    best, top = next((one for one in order if one[0] != GATE), ("", 0.0))
    value = dict(order).get(GATE)
    apart = difference(pairs, GATE, best, PRIMARY)
    if value is None or apart is None or not top:
        return f"{said}."
    if not apart["value"] and not apart["low"] and not apart["high"]:
        return f"{said}, which is {best} alone."
    if apart["low"] is None or apart["high"] is None:
        return f"{said}: NDCG {value:.4f}."
    ends = f"{apart['low'] / top:+.1%} to {apart['high'] / top:+.1%}"
    doubt = "" if certain(apart) else ", which may be chance"
    return f"{said}: NDCG {value:.4f}, {apart['value'] / top:+.1%} against {best} alone ({ends}){doubt}."


def joined(parts: Iterable[str]) -> str:
    """Parts of a sentence, with commas and an and."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _candidates(result: Json) -> list[str]:
    return [model for model in result["models"] if model != GATE]


def _catalogue(of_models: Sequence[OfModel]) -> str:
    order = ranked(of_models, "coverage")
    if len(order) < 2:
        return ""
    (most, high), (least, low) = order[0], order[-1]
    return f"On a night {most} shows {high:.1%} of the catalogue, and {least} {low:.1%}."


def _drifts(of_models: Sequence[OfModel], days: int) -> list[str]:
    """What changes with time, where that is certain and more than a little: a sentence a figure and direction."""
    found = []
    for name, (called, *clauses) in DRIFTS.items():
        changed = {
            one["model"]: (certain(one["slope"]), days * one["slope"]["value"])
            for one in of_models
            if one["measure"] == name
            and one["slope"]
            and one["level"]
            and abs(days * one["slope"]["value"]) >= LITTLE * abs(one["level"]["value"])
        }
        for sign, clause in zip((1, -1), clauses, strict=True):
            same = {model: size for model, (sure, size) in changed.items() if sure == sign}
            if same:
                sizes = ", ".join(f"{model} {change(BY_NAME[name], size)}" for model, size in same.items())
                found.append(f"Over the {days} days {clause} ({called}: {sizes}).")
    return found


def change(measure: Measure, size: float) -> str:
    """A change of a figure as people read it."""
    return f"{100 * size:+.1f} points" if measure.share else f"{size:+.3f}"


def by_day(measure: Measure, slope: float) -> str:
    """A change a day as people read it."""
    value = 100 * slope if measure.share else slope
    digits = max(0, 1 - floor(log10(abs(value)))) if value else 0  # two that count
    return f"{value:+.{min(digits, 6)}f}{' points' if measure.share else ''}"


def written(measure: Measure, one: Number | None) -> str:
    """The interval of a level, as people read it; empty where there is none."""
    if one is None or one["low"] is None or one["high"] is None:
        return ""
    return f"{shown(measure, one['low'])} to {shown(measure, one['high'])}"
