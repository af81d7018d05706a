"""The prepared tables of an earlier night, where tonight's can be made of them.

They can if they were made by the same code and settings of valid tables that are still there, and tonight's valid
interactions are theirs and more that follow. Parts that are the same file are known by their digests. A part that was
not full is read with what follows it (`tasks.ingest.table_parts`): there, rows are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.layout import BASE, Split, interactions_file
from tasks.prepare.events import Source
from tasks.prepare.kept import KNOWN, PreparedSplit
from tasks.store.digests import Digests
from tasks.store.files import read_json, sha256, write_json
from tasks.store.manifests import Manifest, damage, manifest_of, outputs, whole
from tasks.store.opted_out import are_among
from tasks.store.parts import link
from tasks.store.paths import Night

ABOUT = "base.json"
"""In `base/`: the night that it was made in, what it held out, and the parts of its valid interactions."""
SPLITS: tuple[Split, ...] = get_args(Split)
MOST_COMPARED = 2_000_000
"""Rows of parts that were not full, at most: of two files a part beyond that, the table is not what it was."""
MOST_NEW = 0.25  # of the rows: with more, making all anew takes as long


@dataclass(frozen=True)
class Earlier:
    """The prepared tables of the night of a date, and what they were made from."""

    date: str
    prepared: Path
    """Whole tables: those of the night, or those that it continues itself."""
    valid: Path
    last_valid: Path
    """Of the newest night, which went on from these tables if they are not its own."""
    protocol: str
    """What was held out."""
    old_parts: Sequence[tuple[str, str, int]]
    """Path, digest and rows of each part of its valid interactions."""
    new_parts: Sequence[tuple[str, str, int]]
    """The same of tonight's."""

    @classmethod
    def of(cls, night: Night, valid: Manifest, code: str, settings: dict[str, Any], digests: Digests) -> Earlier | None:
        """The newest night before one that has prepared its tables by the same code and settings.

        The `digests` of their files are known then.
        """
        for one in reversed(night.store.all_nights()):
            if one.run_date >= night.run_date or not one.prepared.exists():
                continue
            made, made_from = manifest_of(one.prepared), manifest_of(one.valid)
            if made is None or made_from is None:
                continue
            parameters = {name: value for name, value in made["parameters"].items() if name != "cutoff"}
            alike = made["code"] == code and parameters == settings and made["inputs"] == outputs(valid=made_from)
            users = [file for file in made_from["files"] if file["path"] == "users.parquet"]
            if not alike or whole(one.prepared) is None or damage(one.valid, users):
                return None
            base = one.prepared / BASE
            about = read_json(base / ABOUT) or {
                "date": str(one.run_date),
                "protocol": made["summary"]["holdout"]["protocol"],
                "parts": _parts_of(made_from),
            }
            found = cls(
                date=about["date"],
                prepared=base if base.exists() else one.prepared,
                valid=night.store.night(date.fromisoformat(about["date"])).valid,
                last_valid=one.valid,
                protocol=about["protocol"],
                old_parts=[tuple(part) for part in about["parts"]],
                new_parts=_parts_of(valid),
            )
            for file in made["files"]:
                digests.learn(one.prepared / file["path"], file["sha256"])
            return found
        return None

    def link(self, out: Path) -> None:
        """Give the tables to those that continue them: as `base/` in `out`, with what `of` is to know of them."""
        for path in (self.prepared / name for name in (layout.USERS, layout.ITEMS, *map(interactions_file, SPLITS))):
            self._link(path, out)
        for path in (self.prepared / KNOWN).iterdir():
            self._link(path, out)
        write_json(
            out / BASE / ABOUT, {"date": self.date, "protocol": self.protocol, "parts": [*map(list, self.old_parts)]}
        )

    def _link(self, path: Path, out: Path) -> None:
        target = out / BASE / path.relative_to(self.prepared)
        target.parent.mkdir(parents=True, exist_ok=True)
        link(path, target)

    @cached_property
    def full(self) -> PreparedSplit:
        return PreparedSplit(self.prepared, "full")

    @cached_property
    def train(self) -> PreparedSplit:
        return PreparedSplit(self.prepared, "train")

    def opted_out(self) -> pa.Array:
        """Who had opted out in the newest night."""
        return Source(self.last_valid).opted_out()

    def ids(self, kind: str) -> pa.Array:
        """All ids of users (or items), in order."""
        return pq.read_table(self.prepared / f"{kind}s.parquet", columns=[f"{kind}_id"])[f"{kind}_id"].combine_chunks()

    def has(self, user_ids: pa.Array) -> bool:
        """Whether any of some users are in its valid interactions, or may be, as these are damaged."""
        if not self._are_whole(self.old_parts):
            return True
        ids = (pq.read_table(self.valid / path, columns=["user_id"])["user_id"] for path, _, _ in self.old_parts)
        return any(bool(pc.any(are_among(column, user_ids)).as_py()) for column in ids)

    def new_rows(self, source: Source) -> pa.Table | None:
        """Tonight's rows that follow those of the earlier night; None where the others are not the same, or too few."""
        same = 0
        for old, new in zip(self.old_parts, self.new_parts, strict=False):
            if old[1] != new[1]:
                break
            same += 1
        old_rest, new_rest = self.old_parts[same:], self.new_parts[same:]
        n_old, n_new = _n_rows(old_rest), _n_rows(new_rest)
        if n_old > min(MOST_COMPARED, n_new) or n_new - n_old > MOST_NEW * _n_rows(self.new_parts):
            return None
        new = source.read(source.files[same:])
        if not n_old:
            return new
        files = [self.valid / path for path, _, _ in old_rest]
        if not self._are_whole(old_rest) or not _same_ids(pq.read_schema(files[0]), source.schema):
            return None
        old = source.read(files)
        return new.slice(n_old) if old.equals(new.slice(0, n_old)) else None

    def _are_whole(self, some: Sequence[tuple[str, str, int]]) -> bool:
        """Whether some of its parts are what was written then."""
        files = ((self.valid / path, digest) for path, digest, _ in some)
        return all(file.exists() and sha256(file) == digest for file, digest in files)


def _parts_of(valid: Manifest) -> list[tuple[str, str, int]]:
    """Path, digest and rows of the parts of the valid interactions, in order."""
    files = sorted(valid["files"], key=lambda file: file["path"])
    mine = [file for file in files if file["path"].startswith(("interactions.parquet", "interactions/part-"))]
    return [(file["path"], file["sha256"], file.get("rows", 0)) for file in mine]


def _same_ids(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether the ids of interactions have the same types: with the first text among them all become texts."""
    return all(one.field(name).type == other.field(name).type for name in ("user_id", "item_id"))


def _n_rows(some: Sequence[tuple[str, str, int]]) -> int:
    return sum(rows for _, _, rows in some)
