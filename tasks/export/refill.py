"""The tables of an export without some items: lists that had one are made anew by the same models, the others stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.popularity import Popularity
from recmodels.published.schema import MORE_LISTS, completed
from recmodels.ranking.rerank import Rules
from tasks.arms.tonight import ArmTonight
from tasks.export.audit_items import whole_lists
from tasks.export.item_tables import popular_table, popular_windows, similar_tables, similarity_model
from tasks.export.listed import write_listed
from tasks.export.more_lists import in_order, more_servings, with_name
from tasks.export.serving import Lister, Serving, seed_of
from tasks.export.settings import ExportSettings
from tasks.export.vectors import without_items
from tasks.export.writer import Parts, Writer, batches
from tasks.features.settings import FeatureSettings


@dataclass(frozen=True, eq=False)
class Source:
    """What a night's export was made of, and what may be listed now.

    Attributes:
        run_date: the night.
        champion: the name of its model.
        model: that model, fitted.
        data: all its interactions.
        items: its items, in the order of the features.
        user_ids: as they are published, in the order of the features; null for whoever was forgotten.
        settings: of the export.
        features: the roles of the columns.
        allowed: what may be listed: bool [n_items].
        rules: the rules of the lists, with the same `allowed`; None where there are none.
        arms: those of the export besides `main`, by name; as `main` where their model is not there any more.
        arm_models: what was fitted for them, by name.
        own_ids: the users' ids as the site calls them, in the order of the features.
        domains: of the items; None where the site has none.
    """

    run_date: date
    champion: str
    model: Recommender
    data: Dataset
    items: pa.Table
    user_ids: pa.Array
    settings: ExportSettings
    features: FeatureSettings
    allowed: Bools
    rules: Rules | None
    arms: Mapping[str, ArmTonight]
    arm_models: Mapping[str, Recommender]
    own_ids: pa.Array
    domains: Domains | None = None

    @property
    def item_ids(self) -> pa.Array:
        """The ids of the items, in the order of the features."""
        return self.items["item_id"].combine_chunks()

    def serving(self, popular: Popularity) -> Serving:
        """What makes lists anew; whoever reads the old ones fills in the arms of their users."""
        main = Lister(self.champion, self.model, popular, self.data, self.settings, self.allowed, self.rules)
        codes = np.zeros(self.data.n_users, np.int64) if self.arms else None
        return Serving(main, self.arms, self.arm_models, codes, self.own_ids, seed_of(self.run_date))


def write_refilled(source: Source, gone: pa.Array, old: Path, out: Path) -> int:
    """Write the tables of the export in the folder `old` without the items `gone`; how many lists are new."""
    settings = source.settings
    windows = popular_windows(settings.popular_days)
    for one in windows.values():
        one.fit(source.data)
    lists = _topk(source, windows["all"], gone, _files(old, "topk"), out)
    write_listed(out, source.run_date)
    for table in MORE_LISTS:
        if files := _files(old, table):
            _more_lists(source, table, windows["all"], gone, files, out)
    if similar := _files(old, "similar"):
        _similar(source, gone, similar, out)
    without_items(old, gone, out)
    best = Parts(out / "popular")
    best.write(popular_table(source.run_date, windows, source.items, source.features, source.allowed, settings.k))
    best.close()
    return lists


def _files(export: Path, table: str) -> list[Path]:
    return sorted((export / table).glob("*.parquet"))


def _topk(source: Source, popular: Popularity, gone: pa.Array, files: Sequence[Path], out: Path) -> int:
    new_lists, serving = 0, source.serving(popular)
    with Writer(source.run_date, source.champion, source.user_ids, source.item_ids, out / "topk") as writer:
        for rows in whole_lists(list(files), _columns(files, "user_id")):
            table = completed(rows, "topk")
            short = pc.unique(table["user_id"].filter(pc.is_in(table["item_id"], value_set=gone)))
            users = pc.index_in(short, value_set=source.user_ids).to_numpy().astype(np.int32)
            new_lists += len(users)
            tables = [table.filter(pc.invert(pc.is_in(table["user_id"], value_set=short))).select(writer.schema.names)]
            _fill_in_arms(source, serving, table, short, users)
            for batch in batches(len(users), source.settings.longest):
                lists, origins = serving.lists(users[batch])
                tables.append(writer.table(lists, origins))
            writer.parts.write(_merged(tables, ["user_id", "rank"]).cast(writer.schema))
    return new_lists


def _more_lists(
    source: Source, name: str, popular: Popularity, gone: pa.Array, files: Sequence[Path], out: Path
) -> None:
    """The lists of each domain, or in each context, of which those with an item that is gone are made anew."""
    column, serving = MORE_LISTS[name], source.serving(popular)
    settings = source.settings.model_copy(update={"context_lists": True})  # as the table is there
    servings = more_servings(serving, source.domains, settings).get(name, {})
    with Writer(source.run_date, source.champion, source.user_ids, source.item_ids, out / name) as writer:
        for table in whole_lists(list(files), _columns(files, "user_id")):
            values, tables = table[column].cast(pa.string()), [table]
            is_gone = pc.is_in(table["item_id"], value_set=gone)
            left = pa.chunked_array([pa.repeat(pa.scalar(True), len(table))])
            for value, own in servings.items():
                here = pc.equal(values, value)
                short = pc.unique(table["user_id"].filter(pc.and_(here, is_gone)))
                users = pc.index_in(short, value_set=source.user_ids).to_numpy().astype(np.int32)
                left = pc.and_(left, pc.invert(pc.and_(here, pc.is_in(table["user_id"], value_set=short))))
                _fill_in_arms(source, serving, table, short, users)
                for batch in batches(len(users), source.settings.longest):
                    made = writer.table(*own.lists(users[batch]))
                    tables.append(with_name(made, name, value, list(servings)))
            tables[0] = with_name(table.filter(left), name, None, list(servings))
            writer.parts.write(in_order(tables, column))


def _fill_in_arms(source: Source, serving: Serving, table: pa.Table, short: pa.Array, users: Ints) -> None:
    """Of `users`, whose ids are `short`, the arms that the rows of a table name."""
    if serving.codes is None:
        return
    arms = table["arm"].take(pc.index_in(short, value_set=table["user_id"])).cast(pa.string())
    found = pc.index_in(arms, value_set=pa.array([*source.arms], pa.string()))
    serving.codes[users] = pc.fill_null(pc.add(found, 1), 0).to_numpy()


def _similar(source: Source, gone: pa.Array, files: Sequence[Path], out: Path) -> None:
    parts, k = Parts(out / "similar"), source.settings.similar
    name, model = similarity_model(source.model, source.champion, lambda: source.data)
    for table in whole_lists(list(files), _columns(files, "item_id")):
        schema = pq.read_schema(files[0])
        short = pc.unique(table["item_id"].filter(pc.is_in(table["similar_item_id"], value_set=gone)))
        items: Ints = pc.index_in(short, value_set=source.item_ids).to_numpy().astype(np.int32)
        tables = [table.filter(pc.invert(pc.is_in(table["item_id"], value_set=short))).select(schema.names)]
        if len(items):
            tables += similar_tables(model, name, source.item_ids, source.allowed, k, source.run_date, items)
        parts.write(_merged(tables, ["item_id", "rank"]).cast(schema))
    parts.close()


def _columns(files: Sequence[Path], first: str) -> list[str]:
    """All columns of a table, the one that its lists are of before the others."""
    return [first, *(name for name in pq.read_schema(files[0]).names if name != first)]


def _merged(tables: Sequence[pa.Table], order: Sequence[str]) -> pa.Table:
    rows = pa.concat_tables([table for table in tables if len(table)] or tables[:1]).unify_dictionaries()
    return rows if len(tables) == 1 else rows.combine_chunks().sort_by([(name, "ascending") for name in order])
