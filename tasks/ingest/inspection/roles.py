"""Which of our tables some files are, and which of our columns theirs: guesses, with what speaks for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks.ingest.inspection import names
from tasks.ingest.inspection.findings import Certainty
from tasks.ingest.inspection.opening import Opened, Settings
from tasks.ingest.inspection.sampling import Sample
from tasks.ingest.reading import our_columns, schema
from tasks.store.vector_tables import VECTOR

_SURE, _LIKELY = 0.9, 0.5
_MOST_EVENTS = 100
_OF_VECTORS = 2  # columns of a file of vectors: one with more is a catalogue that has vectors, too
_VECTORS = ("float[]", "double[]")
_EVENTS = {
    *("view", "click", "buy", "purchase", "cart", "addtocart", "add_to_cart", "like", "play", "transaction", "order"),
    *("pv", "fav", "impression", "wishlist", "share", "download", "watch", "listen", "rate", "remove_from_cart"),
}
"""Words that tell a column of events."""


class Guess(NamedTuple):
    """A column for one of ours. `sure` is from 0 to 1."""

    column: str
    sure: float
    why: str


@dataclass(frozen=True)
class Group:
    """Files of one layout; the first of them tells of all."""

    files: Sequence[Opened]

    @property
    def first(self) -> Opened:
        """The file that has most columns."""
        return max(self.files, key=lambda file: len(file.samples))

    @property
    def settings(self) -> Settings:
        """Those that most of its files need; of one in another encoding the lines that are not in this are refused."""
        usual = Counter(str(one.settings) for one in self.files).most_common(1)[0][0]
        return next(one.settings for one in self.files if str(one.settings) == usual)

    @property
    def paths(self) -> list[Path]:
        """Where its files are."""
        return [one.path for one in self.files]

    @property
    def looked_at(self) -> int:
        """How many rows tell of its columns."""
        return self.first.samples[0].rows if self.first.samples else 0

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return self.first.path.name.split(".")[0]


def groups(opened: Sequence[Opened]) -> list[Group]:
    """The files by their layouts: the same columns, or those of another file of a like name and some more."""
    found: list[list[Opened]] = []
    for one in opened:
        home = next((group for group in found if _alike(group[0], one)), None)
        if home is None:
            found.append([one])
        else:
            home.append(one)
    return [Group(files) for files in found]


def _alike(one: Opened, other: Opened) -> bool:
    first, second = set(one.source.columns), set(other.source.columns)
    if one.settings != other.settings or (
        one.headless and [s.type for s in one.samples] != [s.type for s in other.samples]
    ):
        return False
    named = re.sub(r"[\d\W_]+", "", one.path.name), re.sub(r"[\d\W_]+", "", other.path.name)
    return first == second or (named[0] == named[1] and (first <= second or second <= first))


def merged(found: Sequence[Group], given: Mapping[str, str]) -> list[Group]:
    """The groups, those made one that a folder of interactions holds: their columns of ours are called the same."""
    together: dict[tuple[object, ...], list[Opened]] = {}
    for group in found:
        together.setdefault(_layout(group, given), []).extend(group.files)
    return [Group(files) for files in together.values()]


def _layout(group: Group, given: Mapping[str, str]) -> tuple[object, ...]:
    guesses = mapping(group, "interactions", given)
    if group.first.headless or are_tags(group) or are_exposures(group) or not is_log(guesses):
        return (id(group),)
    columns = [guesses[ours].column for ours in our_columns.REQUIRED["interactions"]]
    settings = {key: value for key, value in group.first.settings.items() if key != "encoding"}
    return (*columns, group.first.given, str(settings))


def is_log(guesses: Mapping[str, Guess]) -> bool:
    """Whether the columns that interactions need are there, by what they are called."""
    return all(ours in guesses and guesses[ours].sure >= _LIKELY for ours in our_columns.REQUIRED["interactions"])


def are_tags(group: Group) -> bool:
    """Whether files are tags: several for an item, or by users, and no ratings."""
    guesses, log = mapping(group, "tags", {}), mapping(group, "interactions", {})
    if fitness(group, "tags", guesses) < 0.8 or "rating" in log:
        return False
    key = next(sample for sample in group.first.samples if sample.name == guesses["item_id"].column)
    return key.repeats > 1.3 or ("user_id" in log and log["user_id"].sure >= _LIKELY)


def are_exposures(group: Group) -> bool:
    """Whether files say what was shown: who, what, when and at which rank, by the names of columns and of the files."""
    if group.first.headless:
        return False
    guesses = mapping(group, "exposures", {})
    if any(ours not in guesses or guesses[ours].sure < _LIKELY for ours in our_columns.REQUIRED["exposures"]):
        return False
    return "exposures" in names.table_of(group.stem) or bool({"export_id", "clicked"} & set(guesses))


def are_vectors(group: Group) -> bool:
    """Whether files have ids, lists of fractions that are called vectors, and nothing else."""
    one = group.first
    if one.source.format != "parquet" or len(one.samples) != _OF_VECTORS:
        return False
    return any(names.fitness(sample.name, VECTOR) and _holds(sample, VECTOR) for sample in one.samples)


def mapping(group: Group, table: str, given: Mapping[str, str]) -> dict[str, Guess]:
    """A column of the files for each of a table's that can be told, the given ones first."""
    one = group.first
    taken: dict[str, Guess] = {
        ours: Guess(theirs, 1.0, "as given") for ours, theirs in given.items() if theirs in one.source.columns
    }
    wanted = [ours for ours in (*our_columns.REQUIRED[table], *our_columns.OPTIONAL[table]) if ours not in taken]
    scored = [
        (guess.sure, -place, ours, guess)
        for ours in wanted
        for place, sample in enumerate(one.samples)
        if (guess := _by_name(sample, ours, one.headless)).sure > 0
    ]
    for _, _, ours, guess in sorted(scored, key=lambda each: each[:2], reverse=True):
        if ours not in taken and guess.column not in {other.column for other in taken.values()}:
            taken[ours] = guess
    if table == "interactions":
        _by_contents(one.samples, taken)
    order = (*our_columns.REQUIRED[table], *our_columns.OPTIONAL[table], *taken)
    return {ours: taken[ours] for ours in order if ours in taken}


def _by_name(sample: Sample, ours: str, headless: bool) -> Guess:
    named = 0.0 if headless else names.fitness(sample.name, ours)
    holds = _holds(sample, ours)
    if not named or holds == 0:
        return Guess(sample.name, 0.0, "")
    return Guess(sample.name, named * holds, f"its name{_and_values(sample, ours)}")


def _holds(sample: Sample, ours: str) -> float:
    """How well the values suit one of our columns, from 0 for not at all."""
    if not sample.filled:
        return 0.0
    if ours in ("user_id", "item_id"):
        if sample.nested and ours == "item_id" and all(text.startswith("[") for text in sample.raw):
            return 0.6
        return 0.0 if sample.nested or sample.type in ("date", "time") or sample.type.startswith("timestamp") else 1.0
    if ours in ("timestamp", *schema.SPAN):
        if sample.type.startswith(("timestamp", "date")):
            return 1.0
        return 1.0 if max(sample.epoch, sample.iso) > 0.5 else 0.6 if sample.written > 0.5 else 0.0
    if ours in ("rating", "outcome"):
        return 1.0 if sample.number > 0.7 else 0.0
    if ours == "rank":
        return 1.0 if sample.whole > 0.99 and (sample.low or 0) >= 1 else 0.0
    if ours == "event":
        return 1.0 if sample.distinct <= _MOST_EVENTS and not sample.nested and sample.time < 0.5 else 0.0
    if ours in (*schema.FLAGS, "clicked"):
        return 1.0 if sample.type in ("yes or no", "boolean") or sample.distinct <= 2 else 0.0
    if ours == VECTOR:
        return 1.0 if sample.type in _VECTORS else 0.0
    return 0.0 if sample.nested else 1.0


def _and_values(sample: Sample, ours: str) -> str:
    if ours in ("timestamp", *schema.SPAN):
        return ", and its values are times"
    if ours in ("user_id", "item_id") and sample.repeats > 1.5:
        return f", and an id has {sample.repeats:,.0f} rows" if sample.repeats >= 2 else ""
    return f", and it has {sample.distinct} values" if ours == "event" else ""


def _by_contents(samples: Sequence[Sample], taken: dict[str, Guess]) -> None:
    """What names do not tell: times by their values, ids by repeating, ratings by being few small numbers."""
    free = [sample for sample in samples if sample.name not in {guess.column for guess in taken.values()}]
    if "timestamp" not in taken:
        times = [sample for sample in free if sample.time > 0.9 or sample.type.startswith(("timestamp", "date"))]
        if times:
            best = max(times, key=lambda sample: (sample.distinct, sample.epoch + sample.iso))
            taken["timestamp"] = Guess(best.name, 0.8, "its values are times")
            free.remove(best)
    kinds = [
        sample
        for sample in free
        if {word.casefold() for word in sample.raw} & _EVENTS and sample.distinct <= _MOST_EVENTS
    ]
    if "event" not in taken and kinds:
        taken["event"] = Guess(kinds[0].name, 0.6, f"its values are kinds of events, such as {kinds[0].examples[0]}")
        free.remove(kinds[0])
    ids = [sample for sample in free if _could_be_ids(sample)]
    ratings = [sample for sample in free if _are_ratings(sample)]
    wanted = sum(key not in taken for key in ("user_id", "item_id"))
    spare = sum(sample not in ratings for sample in ids)
    if "rating" not in taken and ratings and spare >= wanted:
        best = min(ratings, key=lambda sample: sample.distinct)
        taken["rating"] = Guess(best.name, 0.4, f"its values are few small numbers ({best.low:g} to {best.high:g})")
        ids = [sample for sample in ids if sample is not best]
    for ours in ("user_id", "item_id"):
        if ours not in taken and ids:
            best = ids.pop(0)
            taken[ours] = Guess(best.name, 0.3, "its values could be ids; check that it is the right column")


def _are_events(sample: Sample) -> bool:
    return sample.distinct <= _MOST_EVENTS and bool({word.casefold() for word in sample.raw} & _EVENTS)


def _are_ratings(sample: Sample) -> bool:
    low, high = sample.low or 0, sample.high or 0
    return sample.number > 0.95 and sample.distinct <= 21 and low >= -10 and high <= 100


def _could_be_ids(sample: Sample) -> bool:
    if sample.nested or sample.time > 0.5 or sample.distinct < 2 or sample.length > 64:
        return False
    return sample.whole > 0.99 or (sample.number < 0.5 and " " not in "".join(sample.raw))


def fitness(group: Group, table: str, guesses: Mapping[str, Guess]) -> float:
    """How likely the files are that table: 0 if they lack a column that it needs."""
    needed = our_columns.REQUIRED[table]
    if any(ours not in guesses for ours in needed):
        return 0.0
    sure = min(guesses[ours].sure for ours in needed)
    named = names.table_of(group.stem)
    bonus = 0.2 if table in named else -0.1 if named else 0.0
    if table in ("items", "users"):
        key = next(sample for sample in group.first.samples if sample.name == guesses[needed[0]].column)
        if key.repeats > 1.5 and key.filled > 20:
            return 0.0
    return max(sure + bonus, 0.01)


def certainty(sure: float) -> Certainty:
    """In a word."""
    return "sure" if sure >= _SURE else "likely" if sure >= _LIKELY else "unsure"
