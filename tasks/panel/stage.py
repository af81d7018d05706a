"""Stage 7b, panel: what a night's lists do in the long run, kept for the nights to come."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Csr, Ints
from recmodels.engine.current import asked_for
from recmodels.messages import counted
from recmodels.metrics.beyond_accuracy import Figures
from recmodels.metrics.long_term import jaccard
from recmodels.published.pseudonyms import hashed_ids, key_in
from tasks.features.settings import FeatureSettings
from tasks.panel import figures
from tasks.panel.exposed import Exposed, logged_exposures, published_lists
from tasks.panel.figures import Found
from tasks.panel.kept import ITEMS, PAIRS, USERS, Kept, PanelSummary, covered, kept_nights
from tasks.panel.known import Known, known
from tasks.panel.measures import MEASURES
from tasks.panel.pairs import earlier_pairs, nearest_pairs, pairs_table, random_pairs
from tasks.panel.settings import PanelSettings
from tasks.panel.slopes import Measured, measured, slopes_of
from tasks.panel.through import DAY, share_listed, share_shown
from tasks.store import history
from tasks.store.engine_parts import engine_parts
from tasks.store.events import log_event
from tasks.store.files import Json
from tasks.store.manifests import Manifest, finished, outputs
from tasks.store.paths import Night, Store
from tasks.store.publications import publications
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import ExposuresSummary
from tasks.store.versions import code_of

CONSUMPTION = 28  # days of which what people chose is looked at
LONGEST = 90  # days that a slope is over


def follow(
    night: Night,
    settings: PanelSettings,
    features: FeatureSettings,
    cutoff: datetime,
    prepared: Manifest,
    exposures: Manifest[ExposuresSummary] | None,
    export: Json,
    fresh: bool = False,
) -> Manifest[PanelSummary] | None:
    """The panel of a night that has published; None where a site wants none. That it fails must not cost the night."""
    folder, done = night.store.panel(night.run_date), None
    if settings.enabled:
        try:
            done = panel(night, settings, features, cutoff, prepared, exposures, export, fresh)
        except Exception as error:
            log_event("panel", "note", f"there is none tonight: {type(error).__name__}: {error}")
    if done is None:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run of the night, which published something else
    retain_panels(night.store, settings.keep_days)
    with suppress(OSError, pa.ArrowException):  # the comparison is damaged: its night said so
        history.keep(night)
    return done


@stage_task("panel")
def panel(
    night: Night,
    settings: PanelSettings,
    features: FeatureSettings,
    cutoff: datetime,
    prepared: Manifest,
    exposures: Manifest[ExposuresSummary] | None,
    export: Json,
    fresh: bool = False,
) -> Manifest[PanelSummary]:
    """Bring the panel of a night up to date with what it published, what was shown, and the nights before."""
    logged = exposures if exposures is not None and not exposures["summary"]["assumed"] else None
    before = kept_nights(night.store, night.run_date - timedelta(days=1), LONGEST - 1)

    def build(out: Path) -> PanelSummary:
        with engine_parts(night, "panel", fresh=fresh) if asked_for() else nullcontext() as parts:
            return write_panel(night, settings, features, cutoff, export, before, out, parts, logged=logged is not None)

    inputs: Json = {**outputs(prepared=prepared), "export": export["export_id"], "made": export.get("fingerprint")}
    inputs |= {"exposures": logged and logged["output"]}
    inputs |= {"before": [[str(one.run_date), one.manifest["output"]] for one in before]}
    parameters = {"settings": settings.model_dump(exclude={"keep_days"}), "roles": features.roles}
    return logged_stage(
        "panel",
        night.store.panel(night.run_date),
        build,
        code=code_of(__name__),
        inputs=inputs,
        parameters=parameters,
        fresh=fresh,
    )


def write_panel(
    night: Night,
    settings: PanelSettings,
    features: FeatureSettings,
    cutoff: datetime,
    export: Json,
    before: Sequence[Kept],
    out: Path,
    parts: Path | None = None,
    *,
    logged: bool,
) -> PanelSummary:
    """Write the panel of a night, and say what it found; an engine's `parts` lie in a folder, if one is asked for."""
    now = int(cutoff.timestamp()) * 1_000_000
    since, recent = int((cutoff - _since_last(night)).timestamp()) * 1_000_000, now - CONSUMPTION * DAY
    site = known(night, features, settings.users, since, recent, parts)
    users, user_ids = site.users, site.user_ids.take(pa.array(site.users))
    published = hashed_ids(user_ids, key_in(export["hash_key_env"])) if export.get("hash_key_env") else user_ids
    folder = night.store.export(export["export_id"]) / "topk"
    exposed, lists = published_lists(folder, published, site.item_ids, export["k"])
    found, notes = Found(len(users)), list[str]()
    if logged:
        path = night.exposures / layout.EXPOSURES
        exposed = logged_exposures(path, users, len(site.user_ids), site.n_items, since)
        found.add("from_lists", share_shown(site, path, since, now))
    else:
        shown = publications(night.store, cutoff)
        found.add("from_lists", share_listed(site, night.store, shown, since, now, export["k"]))
    figures.inequality(found, exposed, site.available)
    _unseen(found, site, exposed, before, night.run_date, assumed=not logged)
    notes += _providers(found, site, exposed, settings)
    chosen = site.chosen()
    figures.lift(found, lists, chosen, site.popularity())
    figures.calibration(found, lists, chosen, site.categories)
    figures.age(found, lists, site.ages(now))
    figures.variety(found, site.chosen(recent), site.choices.recent.astype(np.float64), site.categories)
    pairs = _pairs(found, user_ids, lists, chosen, before)
    table = _users_table(user_ids, found)
    tonight = Measured(night.run_date, not logged, found.night, table, pairs)
    shown_items = site.item_ids.take(pa.array(np.flatnonzero(exposed.by_item > 0)))
    for name, one in ((USERS, table), (PAIRS, pairs), (ITEMS, pa.table({"item_id": shown_items}))):
        pq.write_table(one, out / name, compression="zstd")
    summary = PanelSummary(
        message="",
        notes=notes,
        run_date=str(night.run_date),
        export_id=export["export_id"],
        champion=export["champion"],
        assumed=not logged,
        users=len(users),
        of_users=len(site.user_ids) - site.user_ids.null_count,
        explored=_explored(export),
        arms=_arms(export),
        figures={one.name: found.night.get(one.name) for one in MEASURES},
        slopes=slopes_of([*map(measured, before), tonight]),
    )
    pq.write_table(_history_rows(summary, night.run_date, export["k"]), out / history.PANEL)
    summary["message"] = _message(summary)
    return summary


def retain_panels(store: Store, days: int) -> None:
    """Remove the panels that are older than so many days before the newest one."""
    found = store.panels()
    for run_date, folder in found.items():
        if run_date <= max(found) - timedelta(days=days):
            shutil.rmtree(folder, ignore_errors=True)


def panel_notes(night: Night) -> list[str]:
    """What people should know of a night's panel."""
    done: Manifest[PanelSummary] | None = finished(night.store.panel(night.run_date))
    return [] if done is None else done["summary"]["notes"]


def _since_last(night: Night) -> timedelta:
    """The time since the night before; a day where there was none."""
    before = [one.run_date for one in night.store.all_nights() if one.run_date < night.run_date]
    return night.run_date - before[-1] if before else timedelta(days=1)


def _unseen(
    found: Found, site: Known, exposed: Exposed, before: Sequence[Kept], tonight: date, *, assumed: bool
) -> None:
    """The share of the items that could be shown and were not, tonight and in the nights before."""
    alike = [one for one in before if one.summary["assumed"] == assumed]
    for days in (7, 28):
        nights = covered(alike, tonight, days)
        if nights is None or not exposed.by_item.any():
            found.night[f"unseen_{days}_days"] = None
            continue
        shown = exposed.by_item > 0
        for one in nights:
            ids = pq.read_table(one.folder / ITEMS)["item_id"].combine_chunks()
            if ids.type == site.item_ids.type:
                places = pc.index_in(ids, value_set=site.item_ids).drop_null()
                shown[places.to_numpy()] = True
        could = site.available
        found.night[f"unseen_{days}_days"] = float((~shown[could]).mean()) if could.any() else None


def _providers(found: Found, site: Known, exposed: Exposed, settings: PanelSettings) -> list[str]:
    """Measure the exposure of providers, if that is asked for; a note where it cannot be."""
    column = settings.provider
    if column is None:
        found.add("provider_divergence", None)
        return []
    groups = site.groups(column)
    if groups is None or not groups[0]:
        found.add("provider_divergence", None)
        return [f"panel.provider is {column!r:.60}, and the items have no such column with one value each"]
    names, group = groups
    target = _target(names, group[site.available], settings)
    figures.providers(found, exposed, group, target)
    if isinstance(settings.target, dict) and not target.any():
        return [f"panel.target names nobody who is in the items' column {column!r:.60}"]
    return []


def _target(names: Sequence[str], available: Ints, settings: PanelSettings) -> Figures:
    """The share of exposure that each provider should have, as a weight."""
    if isinstance(settings.target, dict):
        return np.array([settings.target.get(name, 0.0) for name in names], np.float64)
    in_catalogue = np.bincount(available[available >= 0], minlength=len(names)).astype(np.float64)
    return in_catalogue if settings.target == "catalogue" else (in_catalogue > 0).astype(np.float64)


def _pairs(found: Found, user_ids: pa.Array, lists: Ints, chosen: Csr, before: Sequence[Kept]) -> pa.Table:
    """Compare the lists of pairs: those of the last night that are still there, and new ones of who is left."""
    tables = []
    for nearest, name in ((False, "random_overlap"), (True, "nearest_overlap")):
        earlier = np.zeros((0, 2), np.int32)
        if before:
            earlier = earlier_pairs(before[-1].folder / PAIRS, user_ids, nearest=nearest)
        pairs = nearest_pairs(chosen, earlier) if nearest else random_pairs(user_ids, earlier)
        overlap = jaccard(lists, pairs)
        there = ~np.isnan(overlap)
        found.night[name] = float(overlap[there].mean()) if there.any() else None
        tables.append(pairs_table(user_ids, pairs, overlap, nearest=nearest))
    return pa.concat_tables(tables)


def _users_table(user_ids: pa.Array, found: Found) -> pa.Table:
    columns = {
        one.name: pa.array(found.users[one.name].astype(np.float32), from_pandas=True)
        for one in MEASURES
        if one.per == "user"
    }
    return pa.table({"user_id": user_ids, **columns})


def _history_rows(summary: PanelSummary, run_date: date, k: int) -> pa.Table:
    """The figures as rows of the history: of the slice `shown`, or `published` where exposures are assumed."""
    rows = []
    about = {"run_date": run_date, "model": summary["champion"], "k": k, "users": summary["users"]}
    for one in MEASURES:
        kind = "shown" if one.exposed and not summary["assumed"] else "published"
        rows.append(about | {"metric": one.name, "slice": kind, "value": summary["figures"][one.name]})
        for window, slope in summary["slopes"][one.name].items():
            ends = {"value": slope["value"], "low": slope["low"], "high": slope["high"]}
            rows.append(about | {"metric": one.name, "slice": f"slope:{window}", **ends})
    return pa.Table.from_pylist(rows, schema=history.ROWS)


def _explored(export: Json) -> float:
    exploration: Any = export.get("exploration")
    epsilon = exploration.get("epsilon") if isinstance(exploration, dict) else None
    return float(epsilon) if isinstance(epsilon, int | float) else 0.0


def _arms(export: Json) -> list[str]:
    arms: Any = export.get("arms")
    groups = arms.get("groups", arms) if isinstance(arms, dict) else None
    return sorted(map(str, groups)) if isinstance(groups, dict) else []


def _message(summary: PanelSummary) -> str:
    there = sum(value is not None for value in summary["figures"].values())
    who = counted(summary["users"], "user")
    said = "all followed" if summary["users"] == summary["of_users"] else f"of {summary['of_users']:,} followed"
    return f"{counted(there, 'figure')} of the long run, {who} {said}"
