"""An encoder in the night: what it reads, that it reads each text once, and the one that needs no model."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sklearn.decomposition import TruncatedSVD

from flows.settings.site import load
from recmodels.compute import device
from recmodels.errors import ConfigError
from tasks.features.documents import item_documents
from tasks.features.encoders import _pooled, encoder
from tasks.features.encoding import encoded_vectors, texts_of
from tasks.features.settings import EncoderSettings, FeatureSettings
from tasks.features.stage import features
from tasks.features.terms import fit_terms, unit_rows
from tasks.store import encoded
from tasks.store.encoded import digest_of
from tests.flows.sites import write
from tests.tasks.publishing import prepare_night

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red fox", "Red vixen", None, "Red fox"],
        "genres": ["Wild|Farm", "Wild|Woods", None, "Wild|Farm"],
    }
)


class Model:
    """Stands in for the packages' own: a vector says how long a text is, and how many e it has."""

    read: ClassVar[list[str]] = []

    def __init__(self, folder: str, **_: Any) -> None:
        if "broken" in folder:
            raise OSError("no weights\nat all")

    from_pretrained = classmethod(lambda cls, folder: cls(folder))

    def encode(self, texts: list[str], **_: Any) -> np.ndarray:
        Model.read += texts
        return np.array([[len(text), text.count("e")] for text in texts], np.float64)


@pytest.fixture(params=["sentence-transformers", "model2vec"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSettings:
    fake = SimpleNamespace(SentenceTransformer=Model, StaticModel=Model)
    for name in ("sentence_transformers", "model2vec"):
        monkeypatch.setitem(sys.modules, name, fake)  # type: ignore[arg-type]
    for name in ("modules.json", "model.safetensors"):
        write(tmp_path / "model" / name, "{}")
    monkeypatch.setattr(Model, "read", [])
    return FeatureSettings(encoder=EncoderSettings(kind=request.param, model=str(tmp_path / "model")))


def vectors(items: pa.Table, settings: FeatureSettings, cache: Path) -> np.ndarray:
    n = items.num_rows
    width, blocks = encoded_vectors(items, [], np.ones(n, bool), settings, cache)
    found = np.zeros((n, width))
    for rows, some in blocks:
        found[rows] = some
    return found


def test_an_encoder_reads_texts_tags_and_categories() -> None:
    assert texts_of(ITEMS, FeatureSettings())[:3] == ["Red fox. Wild, Farm", "Red vixen. Wild, Woods", ""]
    assert texts_of(ITEMS, FeatureSettings(column_weights={"genres": 0}))[0] == "Red fox"


def test_each_text_is_encoded_once(settings: FeatureSettings, tmp_path: Path) -> None:
    cache = tmp_path / "encoded"
    first = vectors(ITEMS, settings, cache)
    assert first.tolist() == [[19, 1], [22, 2], [0, 0], [19, 1]]
    assert sorted(Model.read) == ["Red fox. Wild, Farm", "Red vixen. Wild, Woods"]
    Model.read.clear()
    more = pa.concat_tables([ITEMS.slice(1), pa.table({"item_id": ["e"], "title": ["Green"], "genres": ["Wild|Farm"]})])
    again = vectors(more, settings, cache)
    assert Model.read == ["Green. Wild, Farm"]
    assert again.tolist() == [*first[1:].tolist(), [17, 2]]


def test_another_model_reads_everything_anew_and_a_damaged_part_too(settings: FeatureSettings, tmp_path: Path) -> None:
    cache = tmp_path / "encoded"
    vectors(ITEMS, settings, cache)
    write(tmp_path / "model" / "modules.json", "[]")
    vectors(ITEMS, settings, cache)
    assert len(Model.read) == 4
    for part in cache.rglob("part-*"):
        part.write_bytes(b"PAR1")
    assert vectors(ITEMS, settings, cache).any()
    assert len(Model.read) == 6


@pytest.mark.slow
def test_features_are_made_again_when_the_model_in_the_folder_is_another(
    settings: FeatureSettings, tmp_path: Path
) -> None:
    night = prepare_night(tmp_path / "store")

    def skipped() -> bool:
        manifest = features.fn(night, "train", settings, {"output": "prepared"}, {"output": "valid"})
        return bool(manifest["skipped"])

    assert [skipped(), skipped()] == [False, True]
    write(tmp_path / "model" / "modules.json", "[]")
    assert not skipped()


def test_what_nobody_has_any_more_leaves_the_cache(settings: FeatureSettings, tmp_path: Path) -> None:
    cache = tmp_path / "encoded"
    vectors(ITEMS, settings, cache)
    columns = {"item_id": [str(i) for i in range(4)], "title": [f"Title {i}" for i in range(4)]}
    vectors(pa.table(columns), settings, cache)
    vectors(pa.table(columns).slice(0, 1), settings, cache)
    Model.read.clear()
    vectors(ITEMS, settings, cache)
    assert len(Model.read) == 2


def test_a_model_that_cannot_be_read_is_said_in_a_sentence(settings: FeatureSettings, tmp_path: Path) -> None:
    given = settings.encoder
    assert given is not None
    with pytest.raises(ConfigError, match=r"nowhere is no folder of a .* model \(it has no m"):
        encoder(given.model_copy(update={"model": str(tmp_path / "nowhere")}))
    (tmp_path / "model").rename(tmp_path / "broken")
    broken = given.model_copy(update={"model": str(tmp_path / "broken")})
    with pytest.raises(ConfigError, match=r"broken cannot be read as a .* model: no weights$"):
        encoder(broken)
    if given.kind == "sentence-transformers" and not device.cuda():
        with pytest.raises(ConfigError, match="device is gpu, and PyTorch sees none here"):
            encoder(broken.model_copy(update={"device": "gpu"}))
    write(tmp_path / "broken" / "weights.bin", "")
    with pytest.raises(ConfigError, match=r"holds weights\.bin, which may run code"):
        encoder(broken)


@pytest.mark.parametrize("own", ["sentence_embedding", "pooler_output", None])
def test_a_graph_gives_a_vector_a_text_or_one_a_token(own: str | None) -> None:
    of_tokens = np.array([[[1, 0], [3, 2], [9, 9]]], np.float32)
    outputs = {"last_hidden_state": of_tokens} | ({own: np.array([[7, 7]], np.float32)} if own else {})
    session = SimpleNamespace(
        get_outputs=lambda: [SimpleNamespace(name=name) for name in outputs],
        run=lambda _, given: list(outputs.values()) if given["input_ids"].tolist() == [[5, 6, 0]] else None,
    )
    tokens = [SimpleNamespace(ids=[5, 6, 0], attention_mask=[1, 1, 0])]
    found = _pooled(session, ["input_ids", "attention_mask"], tokens)
    assert found.tolist() == ([[7, 7]] if own == "sentence_embedding" else [[2, 1]])  # BERT's pooler is of pairs


def test_another_process_may_keep_the_same_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, made = [digest_of("a"), digest_of("b")], np.eye(2, dtype=np.float32)

    def meanwhile(*_: object) -> None:
        monkeypatch.setattr(encoded, "open_to", lambda *_: None)
        encoded.keep_encoded(tmp_path, texts, made)

    monkeypatch.setattr(encoded, "open_to", meanwhile)
    encoded.keep_encoded(tmp_path, texts, made)
    found, vectors = encoded.read_encoded(tmp_path, pa.array(texts, encoded.DIGEST))
    assert found.to_pylist() == texts and vectors.tolist() == made.tolist()


def test_the_static_encoder_is_latent_semantic_analysis_of_the_known_items() -> None:
    rng = np.random.default_rng(0)
    titles = [" ".join(f"w{word}" for word in rng.integers(0, 12, 5)) for _ in range(40)]
    items = pa.table({"item_id": [f"i{n}" for n in range(40)], "title": titles})
    rules, known = FeatureSettings(encoder=EncoderSettings(size=3)), np.arange(40) < 30
    documents = item_documents(items, rules, known)
    columns = [term for name, some in documents.items() if (term := fit_terms(name, some, known, rules))]
    width, blocks = encoded_vectors(items, columns, known, rules, Path("nowhere"))
    found = np.concatenate([some for _, some in blocks])
    terms = unit_rows(columns, 40)
    peer = TruncatedSVD(3, algorithm="arpack").fit(terms[:30].toarray()).transform(terms.toarray())
    assert width == 3
    np.testing.assert_allclose(found @ found.T, peer @ peer.T, atol=1e-4)


def test_settings_of_encoders(tmp_path: Path) -> None:
    file = write(tmp_path / "nightrec.toml", '[features.encoder]\nkind = "onnx"\nmodel = "models/small"\n')
    assert load(file).features.encoder == EncoderSettings(kind="onnx", model=str(tmp_path / "models" / "small"))
    with pytest.raises(ValidationError, match="onnx needs a model"):
        EncoderSettings(kind="onnx")
    with pytest.raises(ValidationError, match="the static encoder reads no model"):
        EncoderSettings(kind="static", model="somewhere")
