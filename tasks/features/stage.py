"""Stage 4, features: what is known of items and users at the end of a split, fitted on that split alone.

Vocabularies, IDF weights, scales and popularity come from the items that the split's users have interacted with, so
the training split knows nothing of the holdout; every item of the catalogue is then described by them.
"""

import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.layout import Split
from recmodels.data.pairs import Pairs
from recmodels.engine.current import asked_for
from recmodels.messages import counted
from tasks.features.column_roles import numbers_of, role_of
from tasks.features.contexts import write_contexts
from tasks.features.counting import activity_of
from tasks.features.documents import item_documents, tag_documents
from tasks.features.encoding import encoded_vectors, encoder_key
from tasks.features.sequences import write_sequences
from tasks.features.settings import FeatureSettings
from tasks.features.single_events import write_events
from tasks.features.tables import write_numbers
from tasks.features.terms import fit_terms, write_terms
from tasks.features.user_features import write_user_features
from tasks.features.vectors import given_vectors, user_terms, write_item_vectors
from tasks.store.engine_parts import engine_parts
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import FeaturesSummary
from tasks.store.versions import code_of

CACHE = ".encoded"


@stage_task("features-{split}")
def features(
    night: Night, split: Split, settings: FeatureSettings, prepared: Manifest, valid: Manifest, fresh: bool = False
) -> Manifest[FeaturesSummary]:
    """Bring `features/<split>/` up to date with what was prepared."""

    def build(out: Path) -> FeaturesSummary:
        with engine_parts(night, f"features-{split}", fresh=fresh) if asked_for() else nullcontext() as parts:
            cache = night.store.encoded
            return write_features(night.prepared, night.valid, split, settings, out, parts, cache)

    inputs = outputs(prepared=prepared, valid=valid)
    if settings.encoder is not None and settings.encoder.model is not None:
        inputs |= {"encoder": encoder_key(settings.encoder)}
    label, folder = f"features {split}", night.features / split
    return logged_stage(
        label,
        folder,
        build,
        code=code_of(__name__),
        inputs=inputs,
        parameters=settings.model_dump(exclude={"pairs"} | (set() if settings.context == "column" else {"context"})),
        fresh=fresh,
    )


def write_features(
    prepared: Path,
    valid: Path,
    split: Split,
    settings: FeatureSettings,
    out: Path,
    parts: Path | None = None,
    cache: Path | None = None,
) -> FeaturesSummary:
    """Read `features/prepared/` (and `valid/tags.parquet`) and write the features of one split.

    Args:
        prepared, valid: the folders of these tables.
        split: whose interactions count.
        settings: what describes an item or a user, and how.
        out: the folder of the features.
        parts: a folder for what an engine makes of the interactions; without it they are counted here.
        cache: a folder for the vectors of texts that are encoded; without it those of this split go with `out`.
    """
    items = pq.read_table(prepared / layout.ITEMS)
    users = pq.read_table(prepared / layout.USERS)
    pairs = Pairs(prepared, split)
    end = pairs.end
    of_users, of_items = activity_of(pairs, users.num_rows, items.num_rows, parts)
    if settings.sequences:
        write_sequences(out / layout.SEQUENCES, pairs, users.num_rows)
    if settings.context == "column":
        write_contexts(out / layout.CONTEXTS, prepared, valid, pairs)
    if settings.events:
        write_events(out / layout.EVENTS, prepared, valid, pairs, settings.event_kinds, settings.due_after)
    known = of_items.known

    documents = item_documents(items, settings, known) | tag_documents(valid / "tags.parquet", items["item_id"], end)
    columns = [term for name, texts in documents.items() if (term := fit_terms(name, texts, known, settings))]
    write_terms(out, columns, items.num_rows)
    given = given_vectors(valid, "item_vectors", items["item_id"])
    if given is None and settings.encoder is not None:
        given = encoded_vectors(items, columns, known, settings, cache or out / CACHE)
    with_vector = write_item_vectors(out, items.num_rows, *given, known, settings.longest_vectors) if given else 0
    of_persons = user_terms(valid, users["user_id"], of_users.known, settings.longest_vectors)
    shutil.rmtree(out / CACHE, ignore_errors=True)
    write_user_features(users, of_users.known, settings, out, of_persons)
    numeric = _scaled_numbers(items, settings, known)
    write_numbers(of_items.table("item_index", end, numeric), out / layout.ITEM_FEATURES, ["popularity"])
    write_numbers(of_users.table("user_index", end, {}), out / layout.USER_FEATURES, ["popularity"])
    n_terms = sum(len(term.names) for term in columns)
    of_vectors = f"; {with_vector:,} of {counted(items.num_rows, 'item')} have a vector" if given else ""
    return {
        "message": f"{counted(n_terms, 'term')} and {counted(len(numeric), 'scaled column')}, fitted on "
        f"{counted(int(known.sum()), 'item')}{of_vectors}",
        "terms": {term.column: len(term.names) for term in columns},
        "numeric": sorted(numeric),
        "fitted_on_items": int(known.sum()),
        "items": items.num_rows,
        "users": users.num_rows,
    }


def _scaled_numbers(
    items: pa.Table, settings: FeatureSettings, known: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[np.float32]]:
    """Numeric columns at mean 0 and deviation 1 over the known items; 0 where a value is missing."""
    scaled = {}
    for name in items.column_names:
        if role_of(items, name, settings) == "numeric":
            value = numbers_of(items, name)
            seen = value[known & np.isfinite(value)]
            if len(seen) and seen.min() < seen.max():  # the deviation of equal fractions may be a rounding error
                standard = (value - seen.mean()) / seen.std()
                scaled[name] = np.where(np.isfinite(value), standard, 0).astype(np.float32)
    return scaled
