"""Who proposes items for the place that is drawn, and what they rank highest, on the disk: a model at a time is loaded.

The models are those of tonight's comparison. They are asked with all interactions before the cutoff, and with the terms
that they were trained on, whose vocabulary is that of the training split.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.layout import TERMS, USER_TERMS, read_terms
from recmodels.persistence import load
from tasks.store.events import log_event
from tasks.store.manifests import manifest_of, whole
from tasks.store.paths import Night

ROWS_AT_ONCE = 2_000_000


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


def fingerprints(night: Night, names: Iterable[str]) -> dict[str, str]:
    """What the models were fitted to, by name, as far as they are there."""
    found = {name: manifest_of(night.model(name)) for name in names}
    return {name: manifest["output"] for name, manifest in found.items() if manifest is not None}


def rank(
    night: Night,
    data: Dataset,
    models: Sequence[str],
    users: Ints,
    m: int,
    folder: Path,
    among: Sequence[Bools],
    repeats: bool,
    way: str = "candidates",
) -> list[Ranked]:
    """Let each model of the night rank items for `users` [n], in files of `folder`.

    It ranks `m` among each of some choices of items [n_items]: those of the first come first, and so on.
    A model that cannot be read, or cannot be asked, proposes nothing, and a note says why: lists do not wait for it.
    """
    asked = as_trained_on(night, data)
    found = []
    for number, name in enumerate(models):
        ranked = Ranked(name, called(name, way), folder / f"{number}.npy")
        try:
            _write(night, ranked, asked, users, min(m, data.n_items), among, repeats)
        except OSError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            log_event("exploration", "note", f"{name} proposes nothing tonight: {why}")
            continue
        found.append(ranked)
    return found


def called(model: str, way: str) -> str:
    """What a model is called as a proposer: by its own name only if it proposes what it would show."""
    return model if way == "candidates" else f"{model}: {way.replace('_', ' ')}"


def as_trained_on(night: Night, data: Dataset) -> Dataset:
    """The data with the terms of the training split, in whose words its models know items and users."""
    train = night.features / "train"
    return replace(
        data,
        terms=read_terms(train / TERMS, data.n_items),
        user_terms=read_terms(train / USER_TERMS, data.n_users, "user_index"),
    )


def _write(
    night: Night, ranked: Ranked, data: Dataset, users: Ints, m: int, among: Sequence[Bools], repeats: bool
) -> None:
    folder = night.model(ranked.model)
    if whole(folder) is None:
        raise ValueError(f"{folder} is damaged or gone")
    model = load(folder)
    out = np.lib.format.open_memmap(ranked.path, mode="w+", dtype=np.int32, shape=(len(users), m * len(among)))
    step = max(1, ROWS_AT_ONCE // m)
    for start in range(0, len(users), step):
        part = slice(start, start + step)
        for n, allowed in enumerate(among):
            top = model.recommend(data, users[part], m, allowed=allowed, repeats=repeats)
            out[part, n * m : (n + 1) * m] = top.items
    out.flush()
