"""Stage 7, export: lists for every user from the refitted winner, written, audited from the files, then published."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from expectations.exports import SUITE
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.messages import counted
from recmodels.published.pseudonyms import check_of, hashed, hashed_ids, key_in
from recmodels.published.schema import contract, described
from tasks.arms.tonight import ArmsTonight
from tasks.compare.decision import ComparisonSummary
from tasks.exploration.proposals import keep
from tasks.exploration.settings import NO_EXPLORATION, ExplorationSettings
from tasks.export.audit import audit, judged
from tasks.export.audit_exposure import exposure_of, refuse_missed
from tasks.export.audit_items import check_columns
from tasks.export.changed_lists import base_of, write_delta
from tasks.export.decisions import decide
from tasks.export.explored import Plan
from tasks.export.gone import rules_without_gone
from tasks.export.serving import output_of
from tasks.export.settings import ExportSettings
from tasks.export.vector_index import about_vectors, write_index
from tasks.export.vectors import chosen
from tasks.export.writer import described_parts
from tasks.export.writing import write_export
from tasks.features.settings import FeatureSettings
from tasks.lists.rules import translate
from tasks.lists.settings import ListSettings
from tasks.store.disk import naming
from tasks.store.engine_parts import engine_parts
from tasks.store.events import log_event, logged
from tasks.store.exports import newest_export, next_export_id, point_to, write_export_manifest
from tasks.store.files import Json, digest, replacing
from tasks.store.leftovers import publishing
from tasks.store.manifests import Manifest, damage, outputs, refuse_damaged
from tasks.store.paths import Night
from tasks.store.stage import stage_task
from tasks.store.versions import NIGHTREC_VERSION, code_of, code_version


@stage_task("export-{name}", reads_and_writes=True)
def export(
    night: Night,
    cutoff: datetime,
    name: str,
    settings: ExportSettings,
    features: FeatureSettings,
    prepared: Manifest,
    champion: Manifest,
    comparison: Manifest,
    fresh: bool = False,
    exploration: ExplorationSettings = NO_EXPLORATION,
    seed: int = 0,
    arms: ArmsTonight | None = None,
    replicates: Sequence[int] = (),
) -> Json:
    """Publish the lists of the model in `champion/`, of arms those of their policies, and return the manifest.

    `replicates` are the numbers of those that propose where the settings of exploration want them to.

    An export that the same inputs, parameters and code gave is not written again.

    Raises:
        ExportRefused: the files broke a rule of the contract; the last export stays.
    """
    parameters = {"model": name, "settings": settings.model_dump(), "roles": features.roles}
    if settings.hash_key_env:
        parameters["key"] = hashed("", key_in(settings.hash_key_env))  # in a digest: another key makes another export
    compared = ComparisonSummary.of_manifest(comparison)
    explores = Plan.of(night, exploration, seed, compared, name, replicates)
    vectors = chosen(night, settings.vectors, name)
    inputs, more = _made_of(night, explores, arms)
    if vectors is not None and vectors[1] != night.champion:
        inputs |= {"vectors": output_of(vectors[1])}
    inputs, parameters = {**outputs(prepared=prepared, champion=champion), **inputs}, parameters | more
    fingerprint = digest({"stage": "export", "inputs": inputs, "parameters": parameters, "code": code_of(__name__)})
    done = newest_export(night.store, night.run_date)
    if done and done.get("fingerprint") == fingerprint and not fresh:
        if (damaged := damage(night.store.export(done["export_id"]), done["files"])) is None:
            if not (night.store.quality(night.run_date) / f"{SUITE}.html").exists():
                _audit_again(night, done, settings, features)
            point_to(night.store, done)
            log_event("export", "skipped", f"{done['export_id']} is published already")
            return done | {"skipped": True}
        log_event("export", "note", f"{damaged}: the night is published anew")
    export_id = next_export_id(night.store, night.run_date)
    with (
        logged("export") as line,
        publishing(night.store, export_id),
        engine_parts(night, "export", fresh=fresh) as folder,
    ):
        refuse_damaged(night.prepared, prepared)
        refuse_damaged(night.champion, champion)
        with naming(night.store.export(export_id)), replacing(night.store.export(export_id)) as out:
            decided = decide(
                night,
                name,
                settings,
                features,
                explores=explores,
                arms=arms,
                vectors=vectors,
                export_id=export_id,
                seed=seed,
            )
            written = write_export(decided, out, folder, digest([fingerprint, export_id]))
            index = write_index(out, settings.k, settings.recall, seed) if vectors and settings.vector_index else None
            base = base_of(night.store, night.run_date) if settings.delta else None
            has_delta = base is not None and write_delta(night.store, base, out, night.run_date)
            check_columns(out)
            profile = judged(written.counts, night.store.quality(night.run_date))
            exposure = exposure_of(profile.get("exposure"), decided.plan, settings)
            refuse_missed(exposure, settings)
            files = described_parts(out)
            schema = described(out)
        made_from = {"inputs": inputs, "fingerprint": fingerprint}
        delta_of = base["export_id"] if base is not None and has_delta else None
        about = {"schema_version": contract()["schema_version"], "export_id": export_id}
        about |= {"run_date": str(night.run_date), "cutoff": cutoff.isoformat(), "champion": name}
        counts = {"users": profile["users_listed"], "cold_users": profile["cold_users"], "rows": profile["rows"]}
        manifest = (
            about
            | {"recipe": {key: champion.get("parameters", {}).get(key) for key in ("recommender", "params")}}
            | _lists_of(settings, features)
            | ({} if arms is None else {"arms": arms.json_ready()})
            | counts
            | {"delta_of": delta_of, "files": files, "schema": schema}
            | exposure
            | ({} if decided.nearly is None else {"approximate": decided.nearly.json_ready()})
            | ({} if vectors is None else {"vectors": about_vectors(vectors[0], index)})
            | _figures_of(compared)
            | _valid_for(settings.valid_hours)
            | made_from
        )
        if decided.explores is not None:
            keep(written.made.proposals, night.store, night.run_date)
            manifest |= {"exploration": decided.explores.summary(written.made.explored).json_ready()}
        manifest = write_export_manifest(night.store, manifest)
        point_to(night.store, manifest)
        line["text"] = (
            f"{counted(profile['rows'], 'row')} for {counted(profile['users_listed'], 'user')}, as {export_id}"
        )
    return manifest | {"skipped": False}


def _made_of(night: Night, explores: Plan | None, arms: ArmsTonight | None) -> tuple[Json, Json]:
    """The inputs and the parameters of lists that are not the winner's alone."""
    inputs, parameters = ({}, {}) if explores is None else explores.made_from()
    if arms is None:
        return inputs, parameters
    models = {name: output_of(night.arm_model(name)) for name in arms.models}
    return inputs | {"arms": models}, parameters | {"arms": arms.model_dump()}


def _audit_again(night: Night, manifest: Json, settings: ExportSettings, features: FeatureSettings) -> None:
    """Write the page of Data Docs about an export that is there already: the validation that was done again has its
    own pages alone.
    """
    rules = translate(night, "full", settings, features) if settings.rerank else None
    try:
        rules = rules_without_gone(night, manifest, rules)
    except NightrecError as error:
        log_event("export", "note", f"{str(error).removesuffix('.')}: it was not audited again")
        return
    audit(
        night.store.export(manifest["export_id"]),
        night.features,
        Dataset.load(night.features, "full"),
        settings.k,
        repeats=settings.repeats,
        docs=night.store.quality(night.run_date),
        rules=rules,
        published=_published_ids(night, settings),
    )


def _published_ids(night: Night, settings: ExportSettings) -> pa.Array:
    """The ids of a night's users as they are published, in the order of the features."""
    user_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    return hashed_ids(user_ids, key_in(settings.hash_key_env)) if settings.hash_key_env else user_ids


def _lists_of(settings: ExportSettings, features: FeatureSettings) -> Json:
    """What the lists are, as the manifest says it."""
    rules = settings.model_dump(include=set(ListSettings.model_fields) - {"k"}, exclude_defaults=True)
    return {
        "k": settings.k,
        "repeats": settings.repeats,
        "rules": rules | {"roles": features.roles},
        "hash_key_env": settings.hash_key_env,
        "hash_key_check": check_of(key_in(settings.hash_key_env)) if settings.hash_key_env else None,
    }


def _figures_of(comparison: ComparisonSummary) -> Json:
    """What the winner was measured to be, as the manifest says it."""
    return {
        "metrics": {name: figure.json_ready() for name, figure in comparison.metrics.items()},
        "measured": {"k": comparison.k, "users": comparison.users},
    }


def _valid_for(hours: float) -> Json:
    """When the export was made, by what, and how long downstream jobs may rely on it."""
    created = datetime.now(UTC).replace(microsecond=0)
    return {
        "created_at": created.isoformat(),
        "valid_until": (created + timedelta(hours=hours)).isoformat(),
        "nightrec_version": NIGHTREC_VERSION,
        "code_version": code_version(),
    }
