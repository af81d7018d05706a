"""What the trainings of one machine have in common, left by the first that reads it: others map it into memory.

Reading the tables of a large site takes as long as some trainings, and each training is a process of its own. The
folder is made for a night's trainings, and removed with them.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Csr
from recmodels.data.dataset import Dataset, LateTimes
from recmodels.data.domains import Domains
from recmodels.data.late import LateRows, trained_entries
from recmodels.data.layout import BASE, ITEM_VECTORS, PREPARED, RESTING, Split, read_vectors
from recmodels.data.pairs import Pairs
from recmodels.parted.arrays import csr_arrays, mapped_file, write_arrays

COLUMNS, RATED = ("user_index", "item_index", "weight", "rating"), ("rated_users", "rated_items", "ratings")
SEEN, MATRIX, TERMS, USER_TERMS = "seen_", "matrix_", "terms_", "user_terms_"
DATA, ABOUT = "data", "about.json"

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)


def shared_dataset(features: Path, split: Split, folder: Path) -> Dataset:
    """What `Dataset.load` reads, from arrays in a folder, which are written to it if they are not there.

    The first, too, maps what it has written: memory that it shares with the others, and of which it holds what it uses.
    Where they cannot be written nothing is shared.

    Args:
        features: the folder of the tables.
        split: which one.
        folder: of all trainings on this machine; it exists.

    Raises:
        NightrecError: a file is missing or inconsistent.
    """
    part = folder / f"{DATA}-{split}-{state_of(features, split)}"
    if part.is_dir():
        return _mapped(part, features, split)
    data = Dataset.load(features, split)
    _leave(part, lambda out: _write(data, out))
    return _mapped(part, features, split) if part.is_dir() else LateRows.without_rows(data)


def has_data(folder: Path, split: Split) -> bool:
    """Whether a training has left a split in the folder of this machine's trainings."""
    return any(folder.glob(f"{DATA}-{split}-*"))


def shared_arrays(folder: Path | None, name: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays by name, made by the first process that asks for them.

    Args:
        folder: as above; where there is none, each makes its own.
        name: of these arrays, which says all that they follow from.
        make: makes them.
    """
    part = None if folder is None or not folder.is_dir() else folder / name
    if part is not None and part.is_dir():
        return {path.stem: mapped_file(path) for path in sorted(part.glob("*.npy"))}
    found = make()
    if part is not None:
        _leave(part, lambda out: write_arrays(out, found))
    return found


def state_of(features: Path, split: Split) -> str:
    """Changes where a table of a split is written again: a digest of names, sizes and times, not of what is in them."""
    prepared = features / PREPARED
    folders = (prepared, prepared / split, prepared / BASE, prepared / BASE / split, features / split)
    files = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted([*folder.glob("*.parquet"), *folder.glob("*.npy")])
    ]
    about = [(str(path), (now := path.stat()).st_size, now.st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def _leave(part: Path, write: Callable[[Path], object]) -> None:
    """Let a folder appear as a whole, unless another process was first, or it cannot be written."""
    try:
        made = Path(tempfile.mkdtemp(prefix=".tmp-", dir=part.parent))
    except OSError as error:
        log.info("Nothing is left for other trainings: %s.", error)
        return
    try:
        write(made)
        made.rename(part)
    except OSError as error:
        if not part.is_dir():
            log.info("Nothing is left for other trainings: %s.", error)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(data: Dataset, out: Path) -> None:
    columns = {name: getattr(data, name) for name in COLUMNS}
    matrix = trained_entries(data)
    entries = csr_arrays(data.seen, SEEN) | ({} if matrix is data.seen else csr_arrays(matrix, MATRIX))
    for prefix, values in ((SEEN, data.seen.data), (MATRIX, matrix.data)):
        if np.array_equal(values, data.weight):  # as where all count the same
            entries.pop(f"{prefix}data", None)
    rated = dict(zip(RATED, data.rated, strict=True)) if data.rated is not None else {}
    given = {name: column for name, column in columns.items() if column is not None}
    write_arrays(out, given | entries | rated | csr_arrays(data.terms, TERMS) | csr_arrays(data.user_terms, USER_TERMS))
    (out / ABOUT).write_text(json.dumps({"n_users": data.n_users, "n_items": data.n_items, "end": data.end}))


def _mapped(part: Path, features: Path, split: Split) -> Dataset:
    about = json.loads((part / ABOUT).read_text())
    arrays: dict[str, Any] = {path.stem: mapped_file(path) for path in sorted(part.glob("*.npy"))}
    columns: dict[str, Any] = {name: arrays.get(name) for name in COLUMNS}
    rated: Any = tuple(arrays[name] for name in RATED if name in arrays)
    data = Dataset(
        **about,
        **columns,
        timestamp=np.broadcast_to(np.int64(0), len(arrays["user_index"])),  # until asked for
        terms=_csr(arrays, TERMS),
        user_terms=_csr(arrays, USER_TERMS),
        seen=_csr(arrays, SEEN),
        rated=rated or None,
        item_vectors=read_vectors(features / split / ITEM_VECTORS, about["n_items"]),
        domains=Domains.read(features / PREPARED),
    )
    late = LateTimes.of(data, Pairs(features / PREPARED, split), features / split / RESTING)
    return LateRows.holding(_csr(arrays, MATRIX) if f"{MATRIX}indptr" in arrays else data.seen, late)


def _csr(arrays: dict[str, Any], prefix: str) -> Csr:
    """A matrix of arrays that are there already: each is mapped once."""
    data = arrays.get(f"{prefix}data", arrays["weight"])
    shape = tuple(arrays[f"{prefix}shape"].tolist())
    return Csr((data, arrays[f"{prefix}indices"], arrays[f"{prefix}indptr"]), shape=shape)
