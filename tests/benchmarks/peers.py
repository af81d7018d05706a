"""One model of another library, in that library's own environment: `PYTHON peers.py FOLDER MODEL PARAMETERS K LISTED`.

Run by `tests.benchmarks.models`, whose arrays lie in FOLDER; imports nothing of ours. RecTools' own item-KNN and BPR
are implicit's: its wrapper of ALS stands for them all.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from scipy import sparse


def implicit_lists(name, parameters, data, tested, k):
    """ALS, BPR, or neighbours by cosine; of users, where items and users change places (fitting alone)."""
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import CosineRecommender

    kinds = {"implicit.als": AlternatingLeastSquares, "implicit.bpr": BayesianPersonalizedRanking}
    matrix = sparse.csr_matrix((np.ones(len(data["user"]), np.float32), (data["user"], data["item"])), data["shape"])
    model = kinds.get(name, CosineRecommender)(**parameters)
    turned = name == "implicit.user_cosine"
    learnt = matrix.T.tocsr() if turned else matrix
    start = time.perf_counter()
    model.fit(learnt, show_progress=False)
    fitted = time.perf_counter()
    found = None if turned else model.recommend(tested, matrix[tested], N=k)[0]
    return start, fitted, found


def rectools_lists(name, parameters, data, tested, k):
    """RecTools' wrapper of implicit's ALS: lists come as a frame."""
    import pandas as pd
    from implicit.als import AlternatingLeastSquares
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import ImplicitALSWrapperModel

    frame = pd.DataFrame({Columns.User: data["user"], Columns.Item: data["item"]})
    site = Dataset.construct(frame.assign(**{Columns.Weight: 1.0, Columns.Datetime: "2026-01-01"}))
    model = ImplicitALSWrapperModel(AlternatingLeastSquares(**parameters))
    start = time.perf_counter()
    model.fit(site)
    fitted = time.perf_counter()
    lists = model.recommend(tested, site, k=k, filter_viewed=True)
    row = pd.Series(np.arange(len(tested)), index=tested)[lists[Columns.User]].to_numpy()
    found = np.full((len(tested), k), -1)
    found[row, lists[Columns.Rank].to_numpy() - 1] = lists[Columns.Item].to_numpy()
    return start, fitted, found


def lightfm_lists(name, parameters, data, tested, k):
    """LightFM by WARP, of RecTools' maintained package: fitting alone, on as many threads as OMP_NUM_THREADS says."""
    from lightfm import LightFM

    pairs = np.ones(len(data["user"]), np.float32), (data["user"], data["item"])
    matrix = sparse.coo_matrix(pairs, tuple(data["shape"].tolist()))
    epochs = parameters.pop("epochs")
    model = LightFM(loss="warp", random_state=0, **parameters)
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    model.fit_partial(matrix, epochs=0, num_threads=threads)  # what is done once
    start = time.perf_counter()
    model.fit_partial(matrix, epochs=epochs, num_threads=threads)
    fitted = time.perf_counter()
    users, items = model.get_user_representations(), model.get_item_representations()
    rows = sparse.csr_matrix(matrix)
    found = []
    for part in np.array_split(tested, max(1, len(tested) // 500)):
        scores = users[1][part] @ items[1].T + items[0]
        scores[rows[part].nonzero()] = -np.inf
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        found.append(best)
    return start, fitted, np.concatenate(found)


def surprise_fit(name, parameters, data, tested, k):
    """Ratings: fitting alone."""
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame({part: data[part] for part in ("user", "item", "rating")})
    train = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()
    start = time.perf_counter()
    SVD(**parameters).fit(train)
    return start, time.perf_counter(), None


def main():
    """Print the seconds, and the most memory that this process has held."""
    folder, name, parameters = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    k, listed = int(sys.argv[4]), int(sys.argv[5])
    data = {part: np.load(folder / f"{part}.npy") for part in ("user", "item", "rating", "shape")}
    tested = np.load(folder / "tested.npy")[:listed]
    library = {
        "implicit": implicit_lists,
        "rectools": rectools_lists,
        "lightfm": lightfm_lists,
        "surprise": surprise_fit,
    }
    start, fitted, found = library[name.partition(".")[0]](name, parameters, data, tested, k)
    done = time.perf_counter()
    if found is not None:
        np.save(folder / "found.npy", np.asarray(found))
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"fit": fitted - start, "lists": done - fitted, "peak": int(line.split()[1]) * 1024}))


if __name__ == "__main__":
    main()
