"""The features of users: one-hot categories and binned numbers of the user table; texts and tags are left out.

There may be millions of users, so that no value becomes a Python object of its own.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recmodels.data.arrays import Ints
from tasks.features.column_roles import numbers_of, role_of
from tasks.features.documents import range_of
from tasks.features.settings import FeatureSettings
from tasks.features.terms import Terms, write_terms


def write_user_features(
    users: pa.Table,
    known: npt.NDArray[np.bool_],
    settings: FeatureSettings,
    out: Path,
    vectors: Terms | None = None,
) -> None:
    """Write `user_terms.parquet` and `user_vocabulary.parquet`.

    Categories and bins are those of the known users, who have interactions. `vectors` are those that the site gives.
    """
    columns = []
    for name in users.column_names:
        role = role_of(users, name, settings)
        if settings.column_weights.get(name, 1.0) == 0:
            continue
        if role == "category":
            values = users[name].cast(pa.string()).combine_chunks().dictionary_encode()
            code = pc.fill_null(values.indices, -1).to_numpy().astype(np.int32)
            columns.append(_one_hot(name, values.dictionary.to_pylist(), code, known, settings))
        elif role == "numeric" and settings.bins:
            names, code = range_of(numbers_of(users, name), settings.bins, known)
            columns.append(_one_hot(name, names, code, known, settings))
    if vectors is not None:
        columns.append(vectors)
    write_terms(out, [column for column in columns if column.names], users.num_rows, "user_index")


def _one_hot(
    column: str, names: list[str], code: Ints, known: npt.NDArray[np.bool_], settings: FeatureSettings
) -> Terms:
    """A column for each value (`code` is -1 for none) that enough of the known users have, sorted by value."""
    counts = np.bincount(code[known & (code >= 0)], minlength=len(names))
    kept = sorted(np.flatnonzero(counts >= settings.min_items_per_term).tolist(), key=lambda value: names[value])
    term = np.full(len(names) + 1, -1, np.int32)  # the last is that of none
    term[kept] = np.arange(len(kept))
    of_user = term[code]
    has = of_user >= 0
    ends = np.concatenate([[0], np.cumsum(has)])
    weight = np.full(int(ends[-1]), settings.column_weights.get(column, 1.0), np.float32)
    return Terms(
        column=column,
        names=[names[value] for value in kept],
        document_frequency=counts[kept].astype(np.int32),
        idf=np.ones(len(kept), np.float32),
        weights=sp.csr_array((weight, of_user[has], ends), shape=(len(code), len(kept))),
    )
