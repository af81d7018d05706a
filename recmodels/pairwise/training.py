"""How vectors of users and items are learnt from pairs: by user, against rivals that all users of a step share.

A user's vector is made once for all their pairs and all rivals, so that most of the work is products of matrices. Only
rows that a step touches are read and changed, by Adagrad with one number a row (Duchi et al., JMLR 2011).
"""

import logging
import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.pairwise import losses as pair_losses
from recmodels.pairwise.batches import LOTS, Step, Steps
from recmodels.pairwise.config import PairRecipe
from recmodels.pairwise.sparse_products import pair_products

if TYPE_CHECKING:
    from recmodels.options import Earlier

log = logging.getLogger(__name__)
Tensors: TypeAlias = dict[str, Tensor]

KEYS = {
    "users": "users", "items": "items", "had": "items",
    "users_terms": "user_terms", "items_terms": "terms", "had_terms": "terms",
}  # fmt: skip
"""Whose rows each table holds."""

SPREAD = 0.1  # of vectors before the first step, over √(their length)
SMALL = 1e-10
TABLE, SQUARES = "table.", "squares."  # before the names of tables, among what a later training starts from
NOTHING = np.empty((0, 0), np.float32)


class Table:
    """Rows that are learnt, on a device: a step takes some of them, and changes those alone."""

    def __init__(self, values: Floats, where: str) -> None:
        self.values = torch.from_numpy(values).to(where)
        self.squares = torch.zeros(len(values), device=where)

    def take(self, rows: Tensor | slice) -> Tensor:
        """Copies of some rows, which gradients gather at."""
        values = self.values.clone() if isinstance(rows, slice) else self.values.index_select(0, rows)
        return values.requires_grad_()

    def change(self, rows: Tensor | slice, taken: Tensor, rate: float, regularization: float) -> None:
        """Follow the gradient that has gathered at what was taken."""
        if (gradient := taken.grad) is None:
            return
        gradient.add_(taken.detach(), alpha=regularization)
        squares = self.squares[rows] + torch.linalg.vector_norm(gradient, dim=1).square_() / gradient.shape[1]
        self.squares[rows] = squares
        self.values[rows] = taken.detach().addcmul_(gradient, (-rate / (squares + SMALL).sqrt())[:, None])


class PairTraining:
    """One training of vectors [., factors + 1], the bias last, whose products are the scores."""

    def __init__(self, recipe: PairRecipe, data: Dataset, where: str) -> None:
        self.recipe, self.where = recipe, where
        self.steps = Steps(recipe, data, where)
        rows = {"users": data.n_users} if recipe.user_ids else {}
        self.sides: list[str] = ["items", "had"] if recipe.history else ["items"]
        rows |= dict.fromkeys(self.sides, data.n_items)
        if self.steps.terms is not None:
            rows |= {f"{side}_terms": data.terms.shape[1] for side in self.sides}
        if self.steps.user_terms is not None:
            rows["users_terms"] = data.user_terms.shape[1]
        spread = SPREAD / np.sqrt(recipe.factors)
        self.tables = {
            name: Table(self.steps.rng.normal(0, spread, (n, self.width)).astype(np.float32), where)
            for name, n in rows.items()
        }

    @property
    def width(self) -> int:
        """Numbers in a row of every table."""
        return self.recipe.factors + 1

    def start_from(self, earlier: "Earlier") -> bool:
        """Take the rows of what was known already; False, and nothing taken, where the earlier tables are others."""
        then = vars(earlier.model)
        if any(then.get(f"{TABLE}{name}_", NOTHING).shape[1] != self.width for name in self.tables):
            log.info("The earlier model is not of the same parts; this one starts anew.")
            return False
        for name, table in self.tables.items():
            place = earlier.places[KEYS[name]]
            now, before = np.flatnonzero(place >= 0), place[place >= 0]
            table.values[now] = torch.from_numpy(then[f"{TABLE}{name}_"][before]).to(self.where)
            table.squares[now] = torch.from_numpy(then[f"{SQUARES}{name}_"][before]).to(self.where)
            log.info("%s: %d of %d rows are of the earlier model.", name, len(now), len(place))
        return True

    def state(self) -> dict[str, Floats]:
        """What a later training starts from."""
        values = {f"{TABLE}{name}_": table.values.cpu().numpy() for name, table in self.tables.items()}
        return values | {f"{SQUARES}{name}_": table.squares.cpu().numpy() for name, table in self.tables.items()}

    def run(self, epochs: int, minutes: float | None = None) -> None:
        """Train to the end, or for so many minutes. Raises NightrecError where the loss is no longer finite."""
        recipe, began = self.recipe, time.monotonic()
        for epoch in range(epochs):
            started, total, n = time.monotonic(), 0.0, 0
            for step in self.steps:
                total += self.learn(step, recipe.learning_rate * (1 - epoch / epochs))
                n += len(step.rows)
                if not np.isfinite(total):
                    raise NightrecError(f"The training diverged in epoch {epoch + 1}; give a smaller learning_rate.")
            log.info("Epoch %d: loss %.4f, %.1f s.", epoch + 1, total / n, time.monotonic() - started)
            if minutes is not None and time.monotonic() - began > 60 * minutes:
                log.info("The %g minutes are over after epoch %d.", minutes, epoch + 1)
                return

    def learn(self, step: Step, rate: float) -> float:
        """Follow the gradient of one step; returns its loss, from before."""
        rows = {"users": step.users, "items": step.touched, "had": step.touched}  # of terms: all
        taken = {name: table.take(rows.get(name, slice(None))) for name, table in self.tables.items()}
        users, items = self.vectors(step, taken)
        loss = self.loss(step, users, items)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, table in self.tables.items():
                table.change(rows.get(name, slice(None)), taken[name], rate, self.recipe.regularization)
        return loss.item()

    def vectors(self, step: Step, taken: Tensors) -> tuple[Tensor, Tensor]:
        """The sums of features: of users [b, width], with 1 where items have their bias, and of items [t, width]."""
        items = taken["items"] * self.steps.kept(len(step.touched))
        if step.terms is not None:
            items = items + step.terms.times(taken["items_terms"])
        users = items.new_zeros(len(step.users), self.width)
        if "users" in taken:
            users = taken["users"] * self.steps.kept(len(step.users)) * step.familiar
        if step.history is not None:
            had = taken["had"]
            if step.terms is not None:
                had = had + step.terms.times(taken["had_terms"])
            users = users + step.history.times(had)
        if step.user_terms is not None:
            users = users + step.user_terms.times(taken["users_terms"])
        f = self.recipe.factors
        return torch.cat((users[:, :f], torch.ones_like(users[:, :1]), users[:, f + 1 :]), dim=1), items

    def loss(self, step: Step, users: Tensor, items: Tensor) -> Tensor:
        """The sum of the losses of all pairs of a step."""
        loss = self.recipe.loss
        if loss == "softmax":
            return self.softmax(step, users, items)
        given = self.masked(step, users, items)
        tries = {"bpr": 1, "bce": pair_losses.AGAINST, "warp": pair_losses.TRIES}[loss]
        drawn = self.steps.on(step.lots[self.steps.rng.integers(0, LOTS, (len(step.rows), tries))])
        if loss == "bpr":
            return pair_losses.bpr(*given, drawn[:, 0])
        if loss == "bce":
            return pair_losses.bce(*given, drawn)
        return pair_losses.warp(*given, drawn, len(self.steps.known))

    def softmax(self, step: Step, users: Tensor, items: Tensor) -> Tensor:
        """The loss of that name."""
        pairs = pair_products(users, items, step.rows, step.items, step.starts)
        rivals = items.index_select(0, step.rivals)
        return pair_losses.softmax_of_products(pairs, step.rows, users, rivals, step.own, step.weights, step.log_counts)

    def masked(self, step: Step, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What losses are of: scores of pairs, rows, scores of rivals, MASKED where the user has one, and weights."""
        scores, rivals = self.scores(step, users, items)
        rivals = rivals.index_put(step.own, rivals.new_tensor(pair_losses.MASKED))
        return scores, step.rows, rivals, step.weights

    def scores(self, step: Step, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Of the pairs [n], and of all users with all rivals [b, m]."""
        pairs = pair_products(users, items, step.rows, step.items, step.starts)
        return pairs, users @ items[step.rivals].T

    def learnt(self) -> dict[str, Floats]:
        """Users' own vectors, those of their terms, and items' as sums of their features; zeros without evidence.

        All are float32 [., width].
        """
        steps = self.steps
        known = np.zeros((steps.data.n_items, 1), np.float32)
        known[steps.known] = 1
        tables = {name: table.values.cpu().numpy() for name, table in self.tables.items()}
        sums: dict[str, Floats] = {side: tables[side] * known for side in self.sides}
        if steps.terms is not None:
            sums |= {side: own + steps.terms @ tables[f"{side}_terms"] for side, own in sums.items()}
        if "users_terms" in tables:
            sums["user_terms"] = tables["users_terms"]
        if "users" in tables:
            sums["users"] = tables["users"] * (np.diff(steps.data.indptr) > 0).astype(np.float32)[:, None]
        return sums
