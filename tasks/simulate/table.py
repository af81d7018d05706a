"""A verdict in a row a policy, for terminals and artifacts."""

from recmodels.simulation.effects import Effect, Interval
from recmodels.simulation.wording import change, number
from tasks.store.files import Json

TONIGHT = {"accuracy": "accuracy tonight"}
LATER = {
    "total_utility": "utility",
    "retention": "chance to come",
    "individual_diversity": "variety",
    "alive_items": "items alive",
}
"""The figures that are shown of the first nights, and of the last ones."""
HEADINGS = ["policy", *TONIGHT.values(), *LATER.values(), "CPU s a night", "in short"]


def rows(verdict: Json) -> list[list[str]]:
    """The policies, that which the others are compared with first: its figures, and by how much theirs differ.

    What may be chance is in brackets.
    """
    found = []
    tonight = {name: one["reference"] for row in verdict["standings"] for name, one in row["tonight"].items()}
    for row in verdict["standings"]:
        if row["policy"] == verdict["reference"]:
            levels = [tonight.get(name) for name in TONIGHT] + [row["levels"].get(name) for name in LATER]
            cells = [
                "" if value is None else number(value, name)
                for value, name in zip(levels, (*TONIGHT, *LATER), strict=True)
            ]
        else:
            cells = [_cell(row["tonight"].get(name)) for name in TONIGHT]
            cells += [_cell(row["later"].get(name)) for name in LATER]
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.2f}"
        short = verdict["sentences"][row["policy"]]["label"]
        found.append([row["policy"], *cells, seconds, "" if row["policy"] == verdict["reference"] else short])
    return found + [[name, *[""] * (len(HEADINGS) - 2), "failed"] for name in verdict["failed"]]


def _named(policy: str, says: str) -> str:
    return policy if policy == says else f"{policy} ({says})"


def _cell(raw: Json | None) -> str:
    if raw is None:
        return ""
    one = effect_of(raw)
    return change(one) if one.certain else f"({change(one)})"


def effect_of(raw: Json) -> Effect:
    """An effect as JSON has it."""
    relative = raw["relative"] and Interval(**raw["relative"])
    return Effect(raw["figure"], raw["level"], raw["reference"], Interval(**raw["difference"]), relative, raw["over"])


def sentences(verdict: Json) -> list[str]:
    """What is to be said of all, of each policy, of those that failed, and of what could be known before."""
    said = [verdict["headline"]] if verdict["headline"] else []
    said += [
        f"{_named(row['policy'], row['says'])}: {verdict['sentences'][row['policy']]['sentence']}"
        for row in verdict["standings"]
    ]
    said += [f"{name} failed: {why}" for name, why in verdict["failed"].items()]
    return said + [verdict[name] for name in ("foresight_says", "offpolicy_says") if verdict[name]]
