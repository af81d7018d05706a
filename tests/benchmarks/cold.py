"""Items without interactions: ``python -m tests.benchmarks.cold --peers PYTHON``.

MovieLens 1M (positives): a random tenth of the items is hidden from training altogether. Each user who has some of them
gets a list of 20 of the hidden items alone; recall@20 is the mean share of theirs that it holds. Terms are genres and
the words of titles, TF-IDF fitted on the training items. LightFM learns from the same terms, beside ids of
users and of items, with 64 factors and WARP. PYTHON has it, in an environment of its own:
``python -m venv peers; peers/bin/pip install rectools-lightfm``.

``--vectors static`` gives each item a vector as well: latent semantic analysis of these terms, fitted on the training
items, as ``[features.encoder]`` makes it; ``--vectors KIND:FOLDER`` one that a model makes of title and genres, as
``sentence-transformers:models/all-MiniLM-L6-v2`` (or ``model2vec``, ``onnx``), its first 256 principal components.
``--overall`` hides no items, but the last tenth of each user's interactions, and prints NDCG@10 among all unseen items.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

from recmodels import registry
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.folds import last_items
from recmodels.metrics.ranking import per_user
from tasks.features.encoders import encoder
from tasks.features.settings import EncoderSettings
from tasks.features.vectors import fitted, unit
from tests.benchmarks.quality import parse
from tests.conftest import real_data

K = 20
SIZE = 64  # numbers of a static vector
LONGEST = 256  # the most numbers of one, as in a night
MODELS = "popularity", "content", "hybrid", "hybrid:id_dropout=0.5", "ncf", "ncf:id_dropout=0.5"
LIGHTFM = """
import sys
import numpy as np
from scipy import sparse
from lightfm import LightFM
folder = sys.argv[1]
pairs, terms = (sparse.load_npz(f"{folder}/{name}.npz") for name in ("pairs", "terms"))
features = sparse.hstack([sparse.identity(terms.shape[0]), terms]).tocsr().astype(np.float32)
model = LightFM(no_components=64, loss="warp", random_state=0)
model.fit(sparse.coo_matrix(pairs), item_features=features, epochs=int(sys.argv[2]), num_threads=1)
bias, items = model.get_item_representations(features)
np.save(f"{folder}/scores.npy", model.get_user_representations()[1] @ items.T + bias)
"""


def terms_of_movies(ids: np.ndarray, known: Bools) -> Csr:
    """Genres and words of titles, a row of length one for each of `ids`; fitted on the known ones."""
    movies = {}
    for line in (real_data("ml-1m") / "movies.dat").read_text("latin-1").splitlines():
        movie, title, genres = line.split("::")
        words = re.findall(r"\w\w+", title.lower())
        movies[int(movie)] = words + [f"genre {genre}" for genre in genres.split("|")]
    documents = [movies[movie] for movie in ids.tolist()]
    vectorizer = TfidfVectorizer(analyzer=list, min_df=2, max_df=0.5, sublinear_tf=True, dtype=np.float32)
    vectorizer.fit([document for document, seen in zip(documents, known, strict=True) if seen])
    return sparse.csr_array(vectorizer.transform(documents))


def site(seed: int) -> tuple[Dataset, Ints, Csr, Bools, np.ndarray]:
    """The training data, the test users, their hidden items, which items are hidden, and the ids of all."""
    table = pq.read_table(real_data("ml-1m") / "positives.parquet")
    users = np.unique(table["user_id"].to_numpy(), return_inverse=True)[1]
    ids, items = np.unique(table["movie_id"].to_numpy(), return_inverse=True)
    hidden = np.random.default_rng(seed).random(len(ids)) < 0.1
    late = hidden[items]
    n_users, n_items = int(users.max()) + 1, len(ids)
    terms = terms_of_movies(ids, ~hidden)
    train = Dataset.from_arrays(users[~late], items[~late], terms=terms, n_users=n_users, n_items=n_items)
    truth = sparse.csr_array((np.ones(late.sum(), bool), (users[late], items[late])), shape=(n_users, n_items))
    asked = np.flatnonzero((np.diff(truth.indptr) > 0) & (np.diff(train.indptr) > 0)).astype(np.int32)
    return train, asked, truth[asked], hidden, ids


def overall() -> tuple[Dataset, Ints, Csr, Bools, np.ndarray]:
    """The same without the last tenth of each user's interactions, which are the truth; no items are hidden."""
    table = pq.read_table(real_data("ml-1m") / "positives.parquet")
    users = np.unique(table["user_id"].to_numpy(), return_inverse=True)[1]
    ids, items = np.unique(table["movie_id"].to_numpy(), return_inverse=True)
    times = table["timestamp"].to_numpy() * 1_000_000
    fold = last_items(Dataset.from_arrays(users, items, timestamp=times), 0.1, len(users))
    terms = terms_of_movies(ids, fold.train.item_counts > 0)
    return replace(fold.train, terms=terms), fold.users, fold.truth, np.zeros(len(ids), np.bool_), ids


def lightfm(train: Dataset, users: Ints, hidden: Bools, peers: str, epochs: int) -> Ints:
    """The lists of LightFM."""
    with TemporaryDirectory() as folder:
        for name, matrix in (("pairs", train.matrix), ("terms", train.terms)):
            sparse.save_npz(Path(folder, name), sparse.csr_matrix(matrix))
        subprocess.run([peers, "-c", LIGHTFM, folder, str(epochs)], check=True)
        scores = np.load(Path(folder, "scores.npy"))[users]
    scores[:, ~hidden] = -np.inf
    lists: Ints = np.argsort(-scores, axis=1, kind="stable")[:, :K].astype(np.int32)
    return lists


def vectors_of_movies(train: Dataset, ids: np.ndarray, which: str) -> Floats:
    """A vector of length one for each movie, less the mean of the known ones."""
    known = train.item_counts > 0
    if which == "static":
        terms = sparse.csr_matrix(train.terms[np.flatnonzero(known)])
        found = train.terms @ randomized_svd(terms, SIZE, random_state=0)[2].T
    else:
        texts = {}
        for line in (real_data("ml-1m") / "movies.dat").read_text("latin-1").splitlines():
            movie, title, genres = line.split("::")
            texts[int(movie)] = f"{title}. {genres.replace('|', ', ')}"
        kind, _, model = which.partition(":")
        settings = EncoderSettings.model_validate({"kind": kind, "model": model})
        found = encoder(settings)([texts[movie] for movie in ids.tolist()])
    vectors = unit(np.asarray(found, np.float32))
    mean, components = fitted(vectors, np.flatnonzero(known), LONGEST)
    return unit(vectors - mean if components is None else (vectors - mean) @ components)


def main() -> int:
    """Print a row a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cold", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--peers", metavar="PYTHON", help="a Python that has LightFM; without it, ours alone")
    parser.add_argument("--seed", type=int, default=0, help="of the items that are hidden")
    parser.add_argument("--overall", action="store_true", help="lists of all items, none of which is hidden")
    parser.add_argument("--vectors", metavar="static|KIND:FOLDER", help="give the items vectors, too")
    parser.add_argument("--models", metavar="A;B", default=";".join(MODELS), help="what is fitted")
    options = parser.parse_args()
    train, users, truth, hidden, ids = overall() if options.overall else site(options.seed)
    if options.vectors:
        train = replace(train, item_vectors=vectors_of_movies(train, ids, options.vectors))
    k, metric, allowed = (10, "ndcg", None) if options.overall else (K, "recall", hidden)
    print(
        f"{hidden.sum()} hidden items, {len(users):,} users, {truth.nnz:,} pairs\n| model | {metric}@{k} |\n|---|---|"
    )
    for name in options.models.split(";"):
        model = registry.create(*parse(name), seed=0).fit(train)
        lists = model.recommend(train, users, k, allowed=allowed).items
        print(f"| {name} | {per_user(lists, truth)[metric].mean():.4f} |", flush=True)
    for epochs in (10, 30) if options.peers else ():
        lists = lightfm(train, users, hidden, options.peers, epochs)
        print(f"| LightFM, {epochs} epochs | {per_user(lists, truth)['recall'].mean():.4f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
