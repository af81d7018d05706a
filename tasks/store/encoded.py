"""Vectors of texts that were encoded before, by the digest of the text: an encoder reads each text once.

A folder for each encoder. No text is kept, and nothing says whose a vector is.
"""

import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Floats
from tasks.store.files import TEMPORARY, open_to, readers_of

DIGEST = pa.binary(16)
UNUSED = 30 * 86400.0  # seconds after which what nobody has used goes


def digest_of(text: str) -> bytes:
    """What a text is known by."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def read_encoded(folder: Path, wanted: pa.Array) -> tuple[pa.Array, Floats]:
    """The digests of `wanted` that are there, each once, and their vectors [n, d]; a part that is damaged goes."""
    digests, vectors = [], []
    for path in sorted(folder.glob("part-*.parquet")):
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError):
            path.unlink(missing_ok=True)
            continue
        table = table.filter(pc.is_in(table["digest"], value_set=wanted))
        if len(table):
            digests.append(table["digest"].combine_chunks())
            vectors.append(table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1))
    if not digests:
        return pa.array([], DIGEST), np.empty((0, 0), np.float32)
    found = pa.concat_arrays(digests)
    first = np.unique(found.dictionary_encode().indices.to_numpy(), return_index=True)[1]
    return found.take(pa.array(first)), np.concatenate(vectors)[first]


def keep_encoded(folder: Path, digests: Sequence[bytes], vectors: Floats) -> None:
    """Add the vectors of some texts, [n, d]."""
    folder.mkdir(parents=True, exist_ok=True)
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    table = pa.table({"digest": pa.array(digests, DIGEST), "vector": values})
    name = f"part-{blake2b(b''.join(digests), digest_size=8).hexdigest()}.parquet"
    temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"  # another process may encode the same texts
    pq.write_table(table, temporary, compression="none", use_dictionary=False)
    open_to(temporary, readers_of(folder))
    temporary.replace(folder / name)


def drop_unused(root: Path, used: Path, keep: pa.Array) -> None:
    """Rewrite what an encoder has, where most of it is of texts that nobody has any more; others go that are not used.

    Args:
        root: of the folders of all encoders.
        used: the folder of the one in use.
        keep: the digests of today's texts.
    """
    parts = sorted(used.glob("part-*.parquet"))
    if sum(pq.read_metadata(path).num_rows for path in parts) > 2 * len(keep):
        digests, vectors = read_encoded(used, keep)
        for path in parts:
            path.unlink(missing_ok=True)
        if len(digests):
            keep_encoded(used, digests.to_pylist(), vectors)
    with suppress(OSError):
        (used / "used").touch()
    for other in root.iterdir() if root.is_dir() else ():
        stamp = other / "used"
        if other != used and stamp.exists() and stamp.stat().st_mtime < time.time() - UNUSED:
            shutil.rmtree(other, ignore_errors=True)
