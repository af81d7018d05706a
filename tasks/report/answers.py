"""What a person wants to know first: what changed since last night, whether that is healthy, and what is unusual."""

from collections.abc import Mapping, Sequence

from recmodels.messages import counted
from tasks.compare.decision import DecisionRecord
from tasks.report.record import NightRecord
from tasks.store.files import Json
from tasks.train.settings import PRIMARY

ALIKE = 0.5  # of the lists are another user's too: worth a warning where the gate has no limit of its own
POPULAR_ONLY = 0.5  # of the users have popular items only: likewise
ALL_OF_THEM = 0.02  # of a value: so little is no change to speak of


def answers(
    record: NightRecord,
    decision: DecisionRecord | None,
    models: Sequence[Json],
    slices: Sequence[Json],
    shown: Json,
    history: Sequence[Json],
) -> list[str]:
    """Three sentences about a night whose models were measured; none about another one.

    Args:
        record: its record.
        decision: what the gate decided.
        models: the rows of the candidates, as the report has them.
        slices: the figures of slices.
        shown: the items that are shown most, and the risers.
        history: the nights before and this one, oldest first.
    """
    winner = next((row for row in models if row["model"] == record.winner and "metrics" in row), None)
    if decision is None or winner is None:
        return []
    unusual = warnings(record, decision, winner, models, slices)
    return [
        _changed(record, decision, shown),
        _health(record, decision, winner, models, history, bool(unusual)),
        f"To look at: {'; '.join(unusual)}." if unusual else "Nothing about its lists looks unusual.",
    ]


def _changed(record: NightRecord, decision: DecisionRecord, shown: Json) -> str:
    """How much of the lists is new, and which item rose most."""
    before = decision.incumbent
    if before is None:
        return "This is the first export, so there is nothing yet that it could be compared with."
    models = "the model is the same"
    if record.winner != before.name:
        models = f"{record.winner} takes the place of {before.published_as}"
    share = shown.get("new_places")
    new = "" if share is None else f", {share:.0%} of the places of users' lists are new"
    rise = ""
    if risers := shown.get("risers"):
        first = risers[0]
        shares = f"from {first['before']:.1%} to {first['share']:.1%} of the lists"
        rise = f", and {first['title'] or first['item_id']} rose most, {shares}"
    return f"Since {before.export_id} {models}{new}{rise}."


def _health(
    record: NightRecord,
    decision: DecisionRecord,
    winner: Json,
    models: Sequence[Json],
    history: Sequence[Json],
    unusual: bool,
) -> str:
    """The gain over popularity and over last night, and what they mean."""
    label, value = f"NDCG@{record.k}" if record.k else "NDCG", winner["metrics"][PRIMARY]["value"]
    baseline = decision.baseline
    popular = next((row for row in models if baseline and row["model"] == baseline.name and "metrics" in row), None)
    gains = []
    if popular and baseline:
        sure = winner["model"] in baseline.beaten_by
        gains.append(_over_popularity(value, baseline.value, sure, winner is popular) + _hits(winner, popular))
    if night := _last_night(record, history):
        gains.append(_over_last_night(winner, night))
    verdict = "Look at it" if unusual or decision.unbeaten or decision.warnings else "Healthy"
    return f"{verdict}: {label} is {value:.4f}" + (f", {'; '.join(gains)}" if gains else "") + "."


def _over_popularity(value: float, popular: float, sure: bool, itself: bool) -> str:
    if itself:
        return "that of the popularity of the last 7 days itself"
    if popular <= 0:
        return "and that of the popularity of the last 7 days is 0"
    chance = "more than chance" if sure else "which may be chance"
    return f"{value / popular - 1:+.0%} over the popularity of the last 7 days ({popular:.4f}; {chance})"


def _hits(winner: Json, popular: Json) -> str:
    """What the figures mean for users."""
    mine, theirs = (row["metrics"].get("hit_rate", {}).get("value") for row in (winner, popular))
    if mine is None or theirs is None or winner is popular:
        return ""
    return f": of 100 users, {100 * mine:.0f} choose something of their list, with popular items {100 * theirs:.0f}"


def _last_night(record: NightRecord, history: Sequence[Json]) -> Json | None:
    """The night before this one that has published a model whose figure is known."""
    for one in reversed(history):
        if one["run_date"] < record.run_date and one["metrics"].get(PRIMARY, {}).get(one["champion"]) is not None:
            return one
    return None


def _over_last_night(winner: Json, night: Json) -> str:
    """Tonight's figure beside the last one's; other days are held out, so only what is far apart means something."""
    figure = winner["metrics"][PRIMARY]
    before = night["metrics"][PRIMARY][night["champion"]]
    change = f"{figure['value'] / before - 1:+.0%}" if before else "up"
    low, high = figure.get("low"), figure.get("high")
    meaning = ""
    if low is not None and high is not None:
        meaning = ", within chance" if low <= before <= high else ", more than chance"
    return f"{change} against {night['run_date']} ({before:.4f}{meaning}, other days being held out)"


def warnings(
    record: NightRecord, decision: DecisionRecord, winner: Json, models: Sequence[Json], slices: Sequence[Json]
) -> list[str]:
    """What is unusual about the lists of the winner, and about the night, each as a clause."""
    found = []
    figures: Mapping[str, Json] = winner["metrics"]
    tail = next((one for one in slices if one["slice"] == "items:tail"), None)
    if tail and (recall := tail["models"].get(winner["model"])) and recall["value"] == 0:
        found.append("the recall of tail items is 0: no list has one that its user went on to choose")
    if (alike := figures.get("identical_lists")) and alike["value"] > ALIKE:
        found.append(f"{alike['value']:.0%} of the lists are, place by place, another user's too")
    if record.users and record.cold_users is not None and record.cold_users > POPULAR_ONLY * record.users:
        found.append(f"{record.cold_users / record.users:.0%} of the users have popular items only")
    if decision.failed:
        found.append(f"{counted(len(decision.failed), 'candidate')} failed ({', '.join(decision.failed)})")
    if record.sink_failures:
        found.append(f"{counted(len(record.sink_failures), 'sink')} not loaded")
    found += [f"the night was run again, and {one.status}: {(one.reason or '').rstrip('.')}" for one in record.later]
    return found
