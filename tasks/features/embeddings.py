"""Vectors of the items' texts from a language model in a local folder, as terms in addition to the words."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from recmodels.errors import ConfigError
from tasks.features.column_roles import VECTOR, role_of
from tasks.features.settings import FeatureSettings
from tasks.features.terms import Terms

BATCH = 64  # texts that are read at a time
EXECUTABLE = (".bin", ".pt", ".pth", ".pkl", ".ckpt")  # files of weights whose loading can run code


def embedded(items: pa.Table, columns: list[Terms], settings: FeatureSettings) -> Terms | None:
    """The vectors of the items' texts (a row an item, zero where there is none), None without an embedder.

    They are scaled to the length of the terms in `columns`, so that after `unit_rows` the cosine between two items is
    (1 - s) times that of their terms and s times that of their vectors, s being `embedder_share`.

    Raises:
        ConfigError: the folder or the package is missing, or the model cannot be read from it.
    """
    if settings.embedder is None:
        return None
    texts = _texts_of(items, settings)
    rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
    vectors = _vectors_of([texts[row] for row in rows], Path(settings.embedder))
    terms = sp.hstack([column.weights for column in columns]) if columns else sp.csr_array((items.num_rows, 0))
    length = np.sqrt(np.asarray(terms.power(2).sum(axis=1)).ravel())[rows]
    share = settings.embedder_share
    scale = np.where(length > 0, length * np.sqrt(share / (1 - share)), 1).astype(np.float32)
    dense = np.zeros((items.num_rows, vectors.shape[1]), np.float32)
    dense[rows] = vectors * scale[:, None]
    n = dense.shape[1]
    frequency, idf = np.full(n, len(rows), np.int32), np.ones(n, np.float32)
    return Terms(VECTOR, [str(i) for i in range(n)], frequency, idf, sp.csr_array(dense))


def _texts_of(items: pa.Table, settings: FeatureSettings) -> list[str]:
    """The texts of each item, one after the other; columns of weight 0 are left out."""
    names = [name for name in items.column_names if role_of(items, name, settings) == "text"]
    values = [items[name].cast(pa.string()).to_pylist() for name in names if settings.column_weights.get(name, 1.0) > 0]
    return [". ".join(text.strip() for text in row if text and text.strip()) for row in zip(*values, strict=True)] or (
        [""] * items.num_rows
    )


def refuse_executable(folder: Path, setting: str) -> None:
    """Raise ConfigError where the folder of a model holds files that may run code when they are loaded."""
    if unsafe := sorted(path.name for path in folder.rglob("*") if path.suffix in EXECUTABLE):
        raise ConfigError(
            f"{setting}: {folder} holds {unsafe[0]}, which may run code when it is loaded; save the model as "
            "safetensors and remove that file."
        )


def _vectors_of(texts: list[str], folder: Path) -> npt.NDArray[np.float32]:
    """A vector of length one for each text: [n, d]."""
    if not (folder / "modules.json").is_file():
        raise ConfigError(
            f"features.embedder: {folder} is no folder of a sentence-transformers model (it has no modules.json); save "
            "one there, nothing is downloaded."
        )
    refuse_executable(folder, "features.embedder")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise ConfigError(
            "features.embedder needs sentence-transformers: pip install 'nightrec[embeddings]'."
        ) from None
    try:
        model = SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"features.embedder: the model in {folder} cannot be read: {reason}") from error
    if not texts:
        return np.empty((0, 0), np.float32)
    found = model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
    vectors: npt.NDArray[np.float32] = np.asarray(found, np.float32)
    return vectors
