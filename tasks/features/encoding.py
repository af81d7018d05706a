"""Vectors of the items' texts from an encoder in the night: only texts that it has not read before are encoded."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recmodels.data.arrays import Bools, Floats, Longs
from recmodels.messages import counted
from tasks.features.column_roles import role_of
from tasks.features.encoders import encoder
from tasks.features.settings import EncoderSettings, FeatureSettings
from tasks.features.terms import Terms, unit_rows
from tasks.features.tokens import category, tags_as_written
from tasks.features.vectors import Blocks
from tasks.store.encoded import DIGEST, digest_of, drop_unused, keep_encoded, read_encoded
from tasks.store.events import log_event
from tasks.store.files import digest, sha256

AT_A_TIME = 2**13  # texts that are encoded before what came of them is kept
one_at_a_time = threading.Lock()  # nights of a backfill may have the same new texts at the same time


def encoded_vectors(
    items: pa.Table, columns: list[Terms], known: Bools, settings: FeatureSettings, cache: Path
) -> tuple[int, Blocks]:
    """The length of the vectors that an encoder makes of the items, and those of the items that have any.

    Args:
        items: the catalogue.
        columns: its terms, which the static encoder is made from.
        known: which items have interactions in the split, bool [n_items].
        settings: `encoder` says which one.
        cache: the folder of what was encoded before.

    Raises:
        ConfigError: the model or its package is missing, or it cannot be read.
    """
    assert settings.encoder is not None
    if settings.encoder.kind == "static":
        return _static(columns, items.num_rows, known, settings.encoder.size)
    texts = texts_of(items, settings)
    rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
    with one_at_a_time:
        return _read([texts[row] for row in rows], rows, settings.encoder, cache)


def texts_of(items: pa.Table, settings: FeatureSettings) -> list[str]:
    """What an encoder reads of each item: its texts, tags and categories, in the order of the columns."""
    found: list[list[str]] = [[] for _ in range(items.num_rows)]
    for name in items.column_names:
        role = role_of(items, name, settings)
        if role not in ("text", "tags", "category") or settings.column_weights.get(name, 1.0) == 0:
            continue
        split = tags_as_written if role == "tags" else category
        for place, value in enumerate(items[name].to_pylist()):
            found[place] += filter(None, [", ".join(split(value)).strip()])
    return [". ".join(parts) for parts in found]


def _static(columns: list[Terms], n_items: int, known: Bools, size: int) -> tuple[int, Blocks]:
    """Latent semantic analysis: the items' TF-IDF in the space of the first right singular vectors of the known ones.

    Words that occur in the same items are near each other there (Deerwester et al., "Indexing by latent semantic
    analysis", 1990).
    """
    from sklearn.utils.extmath import randomized_svd

    terms = unit_rows(columns, n_items)
    fitted = terms[np.flatnonzero(known)]
    size = min(size, *fitted.shape)
    has = np.flatnonzero(np.diff(terms.indptr) > 0)
    if size == 0:
        return 1, []
    directions = randomized_svd(sp.csr_matrix(fitted), size, random_state=0)[2].T.astype(np.float32)

    def blocks() -> Iterator[tuple[Longs, Floats]]:
        for start in range(0, len(has), AT_A_TIME):
            some = has[start : start + AT_A_TIME]
            yield some, np.asarray(terms[some] @ directions, dtype=np.float32)

    return size, blocks()


def _read(texts: list[str], rows: Longs, settings: EncoderSettings, cache: Path) -> tuple[int, Blocks]:
    """Vectors of texts from the cache, and of the others by the encoder."""
    folder = cache / encoder_key(settings)
    digests = [digest_of(text) for text in texts]
    of_digest = dict(zip(digests, texts, strict=True))
    wanted = pa.array(of_digest, DIGEST)
    there, known = read_encoded(folder, wanted)
    new = list(of_digest.keys() - set(there.to_pylist()))
    new.sort(key=lambda one: (len(of_digest[one]), one))  # texts of a length are encoded together
    vectors = [known] if len(there) else []
    if new:
        encode = encoder(settings)
        for start in range(0, len(new), AT_A_TIME):
            some = new[start : start + AT_A_TIME]
            vectors.append(encode([of_digest[one] for one in some]))
            keep_encoded(folder, some, vectors[-1])
    log_event(
        "features", "note", f"{counted(len(new), 'text')} of {len(of_digest):,} were encoded, the others are known"
    )
    drop_unused(cache, folder, wanted)
    if not vectors:
        return 1, []
    found, all_vectors = pa.concat_arrays([there, pa.array(new, DIGEST)]), np.concatenate(vectors)
    place = pc.index_in(pa.array(digests, DIGEST), value_set=found).to_numpy()
    parts = (slice(start, start + AT_A_TIME) for start in range(0, len(rows), AT_A_TIME))
    return all_vectors.shape[1], ((rows[part], all_vectors[place[part]]) for part in parts)


def encoder_key(settings: EncoderSettings) -> str:
    """What the folder of an encoder in the cache is called: another model has another one."""
    folder = Path(str(settings.model))
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    about = [(str(path.relative_to(folder)), sha256(path)) for path in files]
    return f"{settings.kind}-{digest([settings.kind, about or settings.model, json.dumps('texts 2')])[:16]}"
