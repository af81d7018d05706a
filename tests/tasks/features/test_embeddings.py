"""Vectors of texts beside the terms: what the model is given, how much it counts, and what is refused."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from flows.settings.site import load
from recmodels.content import Content
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from tasks.features.column_roles import VECTOR
from tasks.features.documents import item_documents
from tasks.features.embeddings import _texts_of, embedded
from tasks.features.settings import FeatureSettings
from tasks.features.terms import Terms, fit_terms, unit_rows
from tests.flows.sites import write

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red fox", "A vixen, red", None, "Tax law"],
        "about": ["  ", "by night and day and night", None, "in three long volumes"],
        "genres": ["Wild|Farm", "Wild|Woods", "Farm|Woods", "Farm|Wild"],
    }
)
KNOWN = np.ones(4, bool)
VECTORS = {"fox": [3.0, 4.0], "vixen": [4.0, 3.0], "law": [-4.0, 3.0]}  # of length 5


class Model:
    """Stands in for the package's own; notes what it was asked."""

    made: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    read: ClassVar[list[str]] = []

    def __init__(self, folder: str, **options: Any) -> None:
        if "broken" in folder:
            raise OSError("no weights\nat all")
        Model.made.append((folder, options))

    def encode(self, texts: list[str], *, normalize_embeddings: bool, **_: Any) -> np.ndarray:
        Model.read = texts
        found = np.array([next(vector for word, vector in VECTORS.items() if word in text) for text in texts])
        return found / 5 if normalize_embeddings else found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model))  # type: ignore[arg-type]
    write(tmp_path / "model" / "modules.json", "[]")
    return tmp_path / "model"


def columns(rules: FeatureSettings) -> list[Terms]:
    documents = item_documents(ITEMS, rules, KNOWN)
    return [term for name, texts in documents.items() if (term := fit_terms(name, texts, KNOWN, rules))]


def test_the_model_reads_the_texts_from_its_folder_and_fetches_nothing(folder: Path) -> None:
    rules = FeatureSettings(embedder=str(folder))
    assert _texts_of(ITEMS, rules) == [
        "Red fox",
        "A vixen, red. by night and day and night",
        "",
        "Tax law. in three long volumes",
    ]
    embedded(ITEMS, [], rules)
    assert Model.made[-1] == (str(folder), {"local_files_only": True, "trust_remote_code": False})
    assert Model.read == [text for text in _texts_of(ITEMS, rules) if text]
    assert embedded(ITEMS, [], FeatureSettings()) is None
    untitled = FeatureSettings(embedder=str(folder), column_weights={"title": 0})
    assert _texts_of(ITEMS, untitled)[1] == "by night and day and night"


def test_similarity_is_the_weighted_mean_over_terms_and_vectors(folder: Path) -> None:
    rules = FeatureSettings(embedder=str(folder), embedder_share=0.3, min_items_per_term=1)
    terms = columns(rules)
    vectors = embedded(ITEMS, terms, rules)
    assert vectors is not None and vectors.column == VECTOR
    unit, plain = unit_rows([*terms, vectors], 4), unit_rows(terms, 4)
    np.testing.assert_allclose(np.sqrt(unit.power(2).sum(axis=1)), 1, rtol=1e-6)
    of_vectors = np.array([[0.6, 0.8], [0.8, 0.6], [0, 0], [-0.8, 0.6]])
    expected = 0.7 * (plain @ plain.T).toarray() + 0.3 * of_vectors @ of_vectors.T
    some = [0, 1, 3]
    np.testing.assert_allclose((unit @ unit.T).toarray()[np.ix_(some, some)], expected[np.ix_(some, some)], atol=1e-6)
    assert unit[[2]].nnz == plain[[2]].nnz  # without a text, its terms alone


def test_items_that_share_no_word_are_found_by_what_they_mean(folder: Path) -> None:
    rules = FeatureSettings(embedder=str(folder), roles={"genres": "ignore"})
    vectors = embedded(ITEMS, [], rules)
    assert vectors is not None
    data = Dataset.from_arrays([0, 1], [0, 3], terms=unit_rows([vectors], 4), n_items=4)
    model = Content(popularity=0, balance=0).fit(data)
    assert model.recommend(data, np.array([0]), 3).items.tolist() == [[1, -1, -1]]
    sources, targets = np.array([0], np.int32), np.array([1], np.int32)
    assert model.matched_terms(sources, targets, 2).tolist() == [[0, 1]]
    assert model.matched_terms(sources, targets, 2, np.zeros(2, bool)).tolist() == [[-1, -1]]  # no words


def test_what_cannot_be_read_is_refused_in_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"embedder: .*nowhere is no folder of a sentence-transformers model"):
        embedded(ITEMS, [], FeatureSettings(embedder=str(folder.parent / "nowhere")))
    write(folder.parent / "broken" / "modules.json", "[]")
    with pytest.raises(ConfigError, match=r"cannot be read: no weights$"):
        embedded(ITEMS, [], FeatureSettings(embedder=str(folder.parent / "broken")))
    write(folder / "0_Transformer" / "pytorch_model.bin", "")
    with pytest.raises(ConfigError, match=r"holds pytorch_model.bin, which may run code when it is loaded"):
        embedded(ITEMS, [], FeatureSettings(embedder=str(folder)))
    (folder / "0_Transformer" / "pytorch_model.bin").unlink()
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"needs sentence-transformers: pip install 'nightrec\[embeddings\]'"):
        embedded(ITEMS, [], FeatureSettings(embedder=str(folder)))


def test_the_folder_counts_from_the_configuration_file(tmp_path: Path) -> None:
    file = write(tmp_path / "site" / "nightrec.toml", '[features]\nembedder = "models/small"\n')
    assert load(file).features.embedder == str(tmp_path / "site" / "models" / "small")
