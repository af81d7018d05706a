"""Between nights: the current export once more, without items that have gone since, by the same model."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.errors import ConfigError, NightrecError
from recmodels.persistence import load
from recmodels.published.pseudonyms import check_of, hashed_ids, key_in
from recmodels.published.schema import described
from recmodels.ranking.rerank import Rules
from tasks.export.audit import audit
from tasks.export.audit_exposure import at_the_prices_of, exposure_of
from tasks.export.changed_lists import base_of, write_delta
from tasks.export.gone import gone_since, keep, refuse_too_many, still_there
from tasks.export.made_from import check_made_from
from tasks.export.refill import Source, write_refilled
from tasks.export.serving import arms_again
from tasks.export.settings import ExportSettings
from tasks.export.vector_index import about_vectors, without_unavailable
from tasks.export.writer import described_parts
from tasks.features.settings import FeatureSettings
from tasks.lists.rules import translate
from tasks.lists.settings import ListSettings
from tasks.store.disk import naming
from tasks.store.events import logged
from tasks.store.exports import current, intact, manifest_of, next_export_id, point_to, write_export_manifest
from tasks.store.files import Json, replacing
from tasks.store.leftovers import publishing
from tasks.store.manifests import manifest_of as stage_manifest
from tasks.store.manifests import refuse_damaged
from tasks.store.paths import Night, Store
from tasks.store.versions import NIGHTREC_VERSION, code_version


@dataclass(frozen=True)
class Refiltered:
    """What became of the current export.

    Attributes:
        export_id: what readers see now.
        of: the export that the night itself published.
        items: how many of the items that may be listed are gone since.
        lists: how many users' lists are made anew, as they had one of them.
        published: whether it is a new export; if not, the current one is without these items already.
    """

    export_id: str
    of: str
    items: int
    lists: int
    published: bool


def refilter(
    store: Store, now: pa.Table, settings: ExportSettings, *, complete: bool, max_gone_share: float, name: str
) -> Refiltered:
    """Publish the lists of the current export's night without items that are gone. The caller holds the store.

    The lists are those that the night published, but for lists with an item that is gone: these are made anew by its
    champion, under the rules of that night. So an item that is there again is back in its lists.

    Args:
        store: the site's folder.
        now: `item_id` and `there`, as `tasks.ingest.catalogue.items_now` gives it.
        settings: of exports; what the night's own manifest says of its lists wins.
        complete: `now` is the whole catalogue.
        max_gone_share: of the items that may be listed; if more are gone, the table is taken to be incomplete.
        name: of the table, for messages.

    Raises:
        ConfigError: nothing is published.
        NightrecError: what the export was made of is not there any more.
        DataRefused: too many items are gone.
        ExportRefused: the files broke a rule of the contract; the last export stays.
    """
    shown, own = _of_the_night(store)
    night = store.night(date.fromisoformat(own["run_date"]))
    check_made_from(night, own)
    made = _settings_of(own, settings)
    source = _source(night, own, *made)
    item_ids = source.item_ids
    gone = gone_since(item_ids, _catalogue(night, item_ids), now, complete=complete)
    refuse_too_many(gone, source.allowed, max_gone_share, name)
    gone &= source.allowed
    without = _without(night, shown, item_ids, source.allowed)
    if without is not None and np.array_equal(without, gone):
        return Refiltered(shown["export_id"], own["export_id"], int(gone.sum()), 0, published=False)
    intact(store, own)
    export_id = next_export_id(store, night.run_date)
    with logged("refilter") as line, publishing(store, export_id):
        manifest, lists = _write(night, own, export_id, _without_items(source, gone), item_ids.filter(pa.array(gone)))
        point_to(store, manifest, by="refilter")
        line["text"] = f"{int(gone.sum()):,} items are gone, {lists:,} lists are new, as {export_id}"
    return Refiltered(export_id, own["export_id"], int(gone.sum()), lists, published=True)


def _of_the_night(store: Store) -> tuple[Json, Json]:
    """The manifests of the current export, and of what it is of if it was refiltered; itself where that is gone."""
    pointer = current(store)
    shown = manifest_of(store, pointer["export_id"]) if pointer else None
    if shown is None:
        raise ConfigError(f"Nothing is published in the store {store.root}: run a night first.")
    own = manifest_of(store, shown["refilter"]["of"]) if "refilter" in shown else shown
    return shown, own if own and store.export(own["export_id"]).is_dir() else shown


def _settings_of(own: Json, settings: ExportSettings) -> tuple[ExportSettings, FeatureSettings]:
    """The settings of an export as its manifest has them; the others are those of the site now."""
    known = own.get("rules", {})
    rules = {name: known[name] for name in known if name in ListSettings.model_fields}
    lists = ListSettings(**rules | {"k": own["k"], "repeats": own["repeats"]}).model_dump()
    made = lists | {"hash_key_env": own.get("hash_key_env")}
    others = {key: value for key, value in settings.model_dump().items() if key not in made}
    return ExportSettings.model_validate(others | made), FeatureSettings(roles=known.get("roles", {}))


def _source(night: Night, own: Json, settings: ExportSettings, features: FeatureSettings) -> Source:
    for folder in (night.prepared, night.champion):
        refuse_damaged(folder, stage_manifest(folder) or {})
    items = pq.read_table(night.prepared / layout.ITEMS)
    rules = translate(night, "full", settings, features) if settings.rerank else None
    rules = at_the_prices_of(rules, own.get("exposure"))
    arms, arm_models = arms_again(own, night)
    own_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    return Source(
        run_date=night.run_date,
        champion=str(own["champion"]),
        model=load(night.champion),
        data=Dataset.load(night.features, "full"),
        items=items,
        user_ids=_user_ids(own, own_ids),
        settings=settings,
        features=features,
        allowed=items["available"].to_numpy() if rules is None else rules.allowed,
        rules=rules,
        arms=arms,
        arm_models=arm_models,
        own_ids=own_ids,
        domains=Domains.read(night.prepared),
    )


def _user_ids(own: Json, ids: pa.Array) -> pa.Array:
    """The ids of the night's users as its export has them.

    Raises:
        ConfigError: the key of its hashes is not in the environment, or it is another one.
    """
    variable = own.get("hash_key_env")
    if not variable:
        return ids
    if own.get("hash_key_check") not in (None, check_of(key_in(variable))):
        raise ConfigError(
            f"The user ids of {own['export_id']} are hashed by another key than that in {variable}: put that one there."
        )
    return hashed_ids(ids, key_in(variable))


def _catalogue(night: Night, item_ids: pa.Array) -> pa.Array:
    """The ids of the night's items table, in the type of its items; none without one."""
    path = night.valid / "items.parquet"
    if not path.exists():
        return item_ids[:0]
    return pq.read_table(path, columns=["item_id"])["item_id"].combine_chunks().cast(item_ids.type)


def _without(night: Night, shown: Json, item_ids: pa.Array, allowed: Bools) -> Bools | None:
    """Which of the items that may be listed the current export is without; None where that is not known."""
    try:
        return ~still_there(night, shown, item_ids) & allowed
    except NightrecError:
        return None


def _without_items(source: Source, gone: Bools) -> Source:
    allowed = source.allowed & ~gone
    rules = None if source.rules is None else replace(source.rules, allowed=allowed)
    return replace(source, allowed=allowed, rules=rules)


def _write(night: Night, own: Json, export_id: str, source: Source, gone: pa.Array) -> tuple[Json, int]:
    """Write and audit the export, and its manifest; returns that, and how many lists are new."""
    store = night.store
    with naming(store.export(export_id)), replacing(store.export(export_id)) as out:
        lists = write_refilled(source, gone, old := store.export(own["export_id"]), out)
        index = without_unavailable(old, out, source.settings.k, source.settings.recall, seed=0)
        base = base_of(store, night.run_date) if source.settings.delta else None
        has_delta = base is not None and write_delta(store, base, out, night.run_date)
        rules = source.rules or Rules(allowed=source.allowed)
        k, repeats = source.settings.k, source.settings.repeats
        profile = audit(out, night.features, source.data, k, repeats=repeats, rules=rules, published=source.user_ids)
        exposure = exposure_of(profile.get("exposure"), rules, source.settings)
        files = described_parts(out)
        schema = described(out)
    keep(night, export_id, gone)
    at = datetime.now(UTC).replace(microsecond=0).isoformat()
    manifest = own | {
        "export_id": export_id,
        "users": profile["users_listed"],
        "cold_users": profile["cold_users"],
        "rows": profile["rows"],
        "delta_of": base["export_id"] if base is not None and has_delta else None,
        "files": files,
        "schema": schema,
        **exposure,
        **({} if index is None else {"vectors": about_vectors(own["vectors"]["model"], index)}),
        "created_at": at,  # and valid as long as the night's own: its model is no newer
        "nightrec_version": NIGHTREC_VERSION,
        "code_version": code_version(),
        "refilter": {"of": own["export_id"], "items": len(gone), "lists": lists},
    }
    return write_export_manifest(store, manifest), lists
