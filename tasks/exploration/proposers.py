"""Who proposes items for the place that is drawn, and what they rank highest, on the disk: a model at a time is loaded.

All are asked with all interactions before the cutoff, and with the terms that they were trained on: the vocabulary of
the models of tonight's comparison is that of the training split.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.layout import ITEM_VECTORS, TERMS, USER_TERMS, Split, read_terms, read_vectors
from recmodels.exploration.bootstrap import left_out, seed_of
from recmodels.exploration.slot import NOBODY
from recmodels.persistence import load
from tasks.store.events import log_event
from tasks.store.manifests import manifest_of, whole
from tasks.store.paths import Night

ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Proposer:
    """Who proposes.

    Attributes:
        model: the model of the night that it is, or is a replicate of.
        name: what it is called as a proposer.
        folder: where it is.
        split: whose terms it was trained on.
        bootstrap: by what the users were drawn that it was fitted on; None: on all.
    """

    model: str
    name: str
    folder: Path
    split: Split = "train"
    bootstrap: int | None = None


@dataclass(frozen=True)
class Ranked:
    """What a proposer ranks highest for some users, best first and -1 after the last one: a file [n, m].

    Attributes:
        model: the model of the night that ranks.
        proposer: what it is called as a proposer.
        path: of the file.
    """

    model: str
    proposer: str
    path: Path

    def rows(self, places: Ints) -> Ints:
        """Those of some users, by their places among them."""
        found: Ints = np.load(self.path, mmap_mode="r")[places]
        return found


def candidates(night: Night, models: Iterable[str], way: str) -> list[Proposer]:
    """Models of tonight's comparison."""
    return [Proposer(name, called(name, way), night.model(name)) for name in models]


def replicates(night: Night, winner: str, numbers: Iterable[int], seed: int) -> list[Proposer]:
    """The night's replicates of its winner."""
    day = str(night.run_date)
    return [
        Proposer(winner, f"{winner}: replicate {number}", night.replicate(number), "full", seed_of(seed, day, number))
        for number in numbers
    ]


def fingerprints(proposers: Iterable[Proposer]) -> dict[str, str]:
    """What the proposers were fitted to, by name, as far as they are there."""
    found = {one.name: manifest_of(one.folder) for one in proposers}
    return {name: manifest["output"] for name, manifest in found.items() if manifest is not None}


def rank(
    night: Night,
    data: Dataset,
    proposers: Sequence[Proposer],
    users: Ints,
    m: int,
    folder: Path,
    among: Sequence[Bools],
    repeats: Repeats,
) -> tuple[list[Ranked], dict[str, str]]:
    """Let each proposer rank items for `users` [n], in files of `folder`.

    It ranks `m` among each of some choices of items [n_items]: those of the first come first, and so on.
    One that cannot be asked proposes nothing, and it is returned why, by its name: lists do not wait for it.
    """
    asked = {split: as_trained_on(night, data, split) for split in sorted({one.split for one in proposers})}
    found, failed = [], {}
    for number, one in enumerate(proposers):
        ranked = Ranked(one.model, one.name, folder / f"{number}.npy")
        try:
            _write(one, ranked.path, asked[one.split], users, min(m, data.n_items), among, repeats)
        except OSError:
            raise
        except Exception as error:
            failed[one.name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            continue
        found.append(ranked)
    return found, failed


def undamaged(proposers: Iterable[Proposer]) -> list[Proposer]:
    """Those that are as they were written; a note names the others, which propose nothing."""
    there = []
    for one in proposers:
        if whole(one.folder) is None:
            note_silent(one.name, f"{one.folder} is damaged or gone")
        else:
            there.append(one)
    return there


def note_silent(name: str, why: str) -> None:
    """Say that somebody proposes nothing."""
    log_event("exploration", "note", f"{name} proposes nothing tonight: {why}")


def called(model: str, way: str) -> str:
    """What a model is called as a proposer: by its own name only if it proposes what it would show."""
    return model if way == "candidates" else f"{model}: {way.replace('_', ' ')}"


def as_trained_on(night: Night, data: Dataset, split: Split = "train") -> Dataset:
    """The data with the terms of a split, in whose words its models know items and users; they have those of all."""
    if split == "full":
        return data
    folder = night.features / split
    return replace(
        data,
        terms=read_terms(folder / TERMS, data.n_items),
        user_terms=read_terms(folder / USER_TERMS, data.n_users, "user_index"),
        item_vectors=read_vectors(folder / ITEM_VECTORS, data.n_items),
    )


def _write(
    proposer: Proposer, path: Path, data: Dataset, users: Ints, m: int, among: Sequence[Bools], repeats: Repeats
) -> None:
    model = load(proposer.folder, mapped=True)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.int32, shape=(len(users), m * len(among)))
    step = max(1, ROWS_AT_ONCE // m)
    for start in range(0, len(users), step):
        part = slice(start, start + step)
        for n, allowed in enumerate(among):
            top = model.recommend(data, users[part], m, allowed=allowed, repeats=repeats)
            out[part, n * m : (n + 1) * m] = top.items
    if proposer.bootstrap is not None and model.why_not_folded():  # it has learned nothing of the other users
        out[np.isin(users, left_out(data.n_users, proposer.bootstrap))] = NOBODY
    out.flush()
