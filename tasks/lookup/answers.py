"""Lists between nights, from a store: by the model of its current export, or the lists of the night where it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.answering import Answer, Answering
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.lookup import SortedIds
from recmodels.errors import ConfigError, NightrecError
from recmodels.persistence import load
from recmodels.published.reader import Export
from recmodels.ranking.rerank import Rules
from tasks.arms.tonight import groups_of
from tasks.export.audit_exposure import at_the_prices_of
from tasks.export.gone import still_there
from tasks.export.made_from import check_made_from
from tasks.export.origins import made_by
from tasks.features.settings import FeatureSettings
from tasks.lists.rules import translate
from tasks.lists.settings import ListSettings
from tasks.lookup.published import has_opted_out, list_in, night_of, published_as
from tasks.store.files import Json
from tasks.store.paths import Night, Store

Row = dict[str, Any]

COLD = "popularity"  # the model that popular items are of


@dataclass(frozen=True)
class Answered(Answer):
    """A user's list between nights.

    Attributes:
        model: whose list it is.
        folded: whether the session counted; if not, it is the list of the night without the session's items, or that
            of popular items.
        note: why it did not; None if it did.
    """

    model: str
    folded: bool
    note: str | None = None


class Answers:
    """Answers for the users of a site, one at a time, by the current export of its store.

    Load it once: an answer then takes milliseconds. The arrays of the model stay on the disk, and the processes of a
    machine share what is read of them; what users did is in memory, some 40 bytes an interaction. The threads of a
    server can share one. When `is_current` is false, there is a new export: load it again.

    Attributes:
        export: the export.
        why_not: why sessions do not count; None if they do.
    """

    def __init__(self, store: Store, export: Export, answering: Answering | None, why_not: str | None) -> None:
        self.store, self.export, self.why_not = store, export, why_not
        self._answering = answering
        about = export.manifest
        self.k, self.repeats, self.champion = int(about["k"]), about["repeats"] is True, str(about["champion"])
        popular = export.table("popular")
        overall = pc.and_(pc.equal(popular["window"].cast(pa.string()), "all"), pc.is_null(popular["category"]))
        self._apart = [name for name, arm in groups_of(about).items() if arm.apart]
        self._popular = popular.filter(overall).sort_by("rank").select(["item_id", "score"]).to_pylist()

    @classmethod
    def latest(cls, store: str | Path) -> Self:
        """The answers by the export that readers are pointed to.

        Raises:
            ConfigError: nothing is published.
        """
        folder = Store(Path(store))
        export = Export.latest(folder.root)
        try:
            return cls(folder, export, _answering(night_of(folder, export), export), None)
        except NightrecError as error:
            return cls(folder, export, None, str(error))

    @property
    def is_current(self) -> bool:
        """Whether readers are still pointed to this export, as it was."""
        return Export.latest(self.store.root).manifest == self.export.manifest

    def answer(
        self, user_id: Any = None, history: Sequence[Any] = (), k: int | None = None, *, explain: bool = True
    ) -> Answered:
        """The list of a user with a session.

        Args:
            user_id: as the site writes it; somebody unknown has the session alone.
            history: ids of the items of the session, oldest first; each counts as an interaction of weight 1.
            k: items of the list, as many as the user has in the export without it; no more than those if the session
                does not count.
            explain: find reasons, which takes longer than the list with a `Transformer`.

        Raises:
            ConfigError: the id cannot be one, or the key of hashed ids is not in the environment; only if the session
                does not count, or the night has arms.
        """
        if user_id is not None and has_opted_out(self.store, self.export, str(user_id)):
            return self._popular_items(history, k, "The user is not among those of the night: popular items.")
        if user_id is not None and self._apart and (of_arm := self._of_an_arm(str(user_id), history, k)) is not None:
            return of_arm
        if self._answering is not None:
            answer = self._answering.answer(user_id, history, k, explain=explain)
            return Answered(**vars(answer), model=self.champion, folded=True)
        if user_id is not None and (found := self._of_the_night(str(user_id), history, k)) is not None:
            return found
        return self._popular_items(history, k, f"{self.why_not} These are popular items, without the session's.")

    def _of_an_arm(self, user_id: str, history: Sequence[Any], k: int | None) -> Answered | None:
        """The list of the night of a user whose arm has lists of another model than the champion's; None of others."""
        try:
            published = published_as(self.export, user_id)
        except ConfigError:
            if self.export.manifest.get("hash_key_env"):
                raise
            return None  # it is no id of the site: nobody of whom the night knows
        rows = list_in(self.export, published).to_pylist()
        if not rows or rows[0]["arm"] not in self._apart:
            return None
        return self._listed(
            rows, history, k, f"The user is in the arm {rows[0]['arm']}, whose lists no session changes."
        )

    def _of_the_night(self, user_id: str, history: Sequence[Any], k: int | None) -> Answered | None:
        rows = list_in(self.export, published_as(self.export, user_id)).to_pylist()
        return self._listed(rows, history, k, str(self.why_not)) if rows else None

    def _listed(self, rows: Sequence[Row], history: Sequence[Any], k: int | None, why: str) -> Answered:
        left = [row for row in rows if self.repeats or str(row["item_id"]) not in map(str, history)][:k]
        return Answered(
            items=[row["item_id"] for row in left],
            scores=[row["score"] for row in left],
            sources=[row["source"] for row in left],
            reasons=[row["reason_item_id"] for row in left],
            counted=[],
            unknown=[],
            known=True,
            model=made_by(rows),
            folded=False,
            note=f"{why} This is the list of the night, without the session's items.",
        )

    def _popular_items(self, history: Sequence[Any], k: int | None, note: str) -> Answered:
        left = [row for row in self._popular if self.repeats or str(row["item_id"]) not in map(str, history)]
        left = left[: k or self.k]
        return Answered(
            items=[row["item_id"] for row in left],
            scores=[row["score"] for row in left],
            sources=["cold"] * len(left),
            reasons=[None] * len(left),
            counted=[],
            unknown=[],
            known=False,
            model=COLD,
            folded=False,
            note=note,
        )


def _answering(night: Night, export: Export) -> Answering:
    """The champion that an export was made of, with the data and the rules of its night.

    Raises:
        NightrecError: they are not there as they were, or the model cannot count a session.
    """
    about = export.manifest
    check_made_from(night, about)
    model = load(night.champion, mapped=True)
    if (why := model.why_not_folded()) is not None:
        raise NightrecError(f"The model {about['champion']} {why}: a session cannot change its lists.")
    rules, plan = rules_of(night, about)
    items = pq.read_table(night.prepared / layout.ITEMS, columns=["item_id", "available"])
    users = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])
    return Answering(
        model,
        Dataset.load(night.features, "full"),
        rules.k,
        allowed=items["available"].to_numpy() & still_there(night, about, items["item_id"].combine_chunks()),
        repeats=rules.repeats,
        rules=plan,
        longest=rules.longest,
        users=SortedIds(users["user_id"].combine_chunks()),
        items=SortedIds(items["item_id"].combine_chunks()),
    )


def rules_of(night: Night, about: Json) -> tuple[ListSettings, Rules | None]:
    """What an export's lists are, by its manifest, and the rules by which new ones are made, if there are any."""
    known = about.get("rules", {})
    rules = ListSettings(k=about["k"], **{name: known[name] for name in known if name in ListSettings.model_fields})
    rules = rules.model_copy(update={"repeats": about["repeats"], "active_days": None})  # who comes back is active
    if not rules.rerank:
        return rules, None
    plan = translate(night, "full", rules, FeatureSettings(roles=known.get("roles", {})))
    return rules, at_the_prices_of(plan, about.get("exposure"))
