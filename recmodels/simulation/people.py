"""What a site's own log says of some of its users and items: what a behavior model is fitted to, as a file.

Users and items are numbers in an order drawn by lot. Nothing else tells who they are; but their choices are those of
people, so whoever keeps such a file keeps it no longer than the simulation needs it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError

_CSR = ("data", "indices", "indptr", "shape")


@dataclass(frozen=True, eq=False)
class People:
    """Some users and items of a site.

    Attributes:
        data: their interactions, and the terms of the items.
        texts: what can be read of each item.
        category: of each item, from 0, int32 `[n_items]`.
    """

    data: Dataset
    texts: list[str]
    category: Ints

    @classmethod
    def drawn(
        cls, data: Dataset, texts: list[str], category: Ints, users: int, items: int, rng: np.random.Generator
    ) -> Self:
        """At most so many of a site's users, by lot, and the items that were chosen most often; both in random order.

        Args:
            data: all interactions.
            texts: of all items.
            category: of all items, from 0.
            users, items: how many at most.
            rng: of the lots.

        Raises:
            NightrecError: nobody has chosen anything.
        """
        count = np.bincount(data.item_index, minlength=data.n_items)
        chosen = rng.permutation(np.argsort(-count, kind="stable")[:items])
        chosen = chosen[count[chosen] > 0]
        active = np.unique(data.user_index[np.isin(data.item_index, chosen)])
        if not len(active):
            raise NightrecError("The site has no interactions that a simulation could be fitted to.")
        who = rng.permutation(active)[:users]
        return cls(
            data=_within(data, who, chosen),
            texts=[texts[item] for item in chosen.tolist()],
            category=np.unique(category[chosen], return_inverse=True)[1].astype(np.int32),
        )

    def save(self, path: Path) -> None:
        """Write them to a file, which is replaced."""
        data, terms = self.data, self.data.terms
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".tmp-{path.name}")
        with unfinished.open("wb") as file:
            np.savez_compressed(
                file, user=data.user_index, item=data.item_index, timestamp=data.timestamp, weight=data.weight,
                sizes=np.array([data.n_users, data.n_items, data.end]), category=self.category,
                texts=np.frombuffer(json.dumps(self.texts).encode(), np.uint8), terms_data=terms.data,
                terms_indices=terms.indices, terms_indptr=terms.indptr, terms_shape=np.array(terms.shape),
            )  # fmt: skip
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` has written.

        Raises:
            NightrecError: the file is gone, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                found = dict(file)
            data, indices, indptr, shape = (found[f"terms_{name}"] for name in _CSR)
            terms: Csr = sparse.csr_array((data, indices, indptr), shape=tuple(shape))
            n_users, n_items, end = found["sizes"].tolist()
            return cls(
                Dataset.from_arrays(
                    found["user"], found["item"], timestamp=found["timestamp"], weight=found["weight"], terms=terms,
                    n_users=n_users, n_items=n_items, end=end,
                ),
                json.loads(found["texts"].tobytes()),
                found["category"],
            )  # fmt: skip
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise NightrecError(
                f"{path} is gone or damaged ({type(error).__name__}): start again with --fresh."
            ) from error


def _within(data: Dataset, users: Ints, items: Ints) -> Dataset:
    """The interactions of some users with some items, which are numbered in the order they are given in."""
    new_user, new_item = (np.full(n, -1, np.int32) for n in (data.n_users, data.n_items))
    new_user[users], new_item[items] = np.arange(len(users)), np.arange(len(items))
    user, item = new_user[data.user_index], new_item[data.item_index]
    kept = (user >= 0) & (item >= 0)
    terms = data.terms[items]
    used = np.unique(terms.indices)
    return Dataset.from_arrays(
        user[kept], item[kept], timestamp=data.timestamp[kept], weight=data.weight[kept], terms=terms[:, used],
        n_users=len(users), n_items=len(items), end=data.end,
    )  # fmt: skip
