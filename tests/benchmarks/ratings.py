"""How far predicted ratings are off, on MovieLens-small: ``python -m tests.benchmarks.ratings [--peers PYTHON]``.

RMSE and MAE of a fifth of all ratings, drawn at random (two draws), or the latest fifth of all; ratings of users and
items that the rest has never seen count too. PYTHON is one that has scikit-surprise, whose SVD (60 epochs, 0.07 on all
terms, the best that was found for it) and KNNBaseline learn from the same ratings.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from recmodels import registry
from recmodels.data.dataset import Dataset
from recmodels.metrics.rating_errors import mae, rmse
from recmodels.scoring.ratings import RatingPredictor
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import movielens_small_log

KNN = "neighbors=800,shrinkage=100"
MODELS = ("mf", f"item_knn:weighting=adjusted_cosine,{KNN}", f"user_knn:weighting=pearson,{KNN}")

PEER = """
import json, sys
import numpy as np, pandas as pd
from surprise import SVD, Dataset, KNNBaseline, Reader

data = {part: np.load(f"{sys.argv[1]}/{part}.npy") for part in ("user", "item", "rating", "late")}
frame = pd.DataFrame({part: data[part][~data["late"]] for part in ("user", "item", "rating")})
train = Dataset.load_from_df(frame, Reader(rating_scale=(0.5, 5))).build_full_trainset()
tested = [data[part][data["late"]] for part in ("user", "item", "rating")]
models = {"SVD": SVD(n_epochs=60, reg_all=0.07, random_state=0)}
by_item = {"name": "pearson_baseline", "user_based": False}
models["KNNBaseline by item"] = KNNBaseline(sim_options=by_item, verbose=False)
for name, model in models.items():
    model.fit(train)
    predicted = np.array([model.predict(user, item).est for user, item in zip(*tested[:2])])
    off = predicted - tested[2]
    print(json.dumps(["surprise, " + name, float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off)))]))
"""


def main() -> None:
    """Print a row a model and a way to split."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ratings", description=__doc__)
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="a Python that has scikit-surprise")
    peers = parser.parse_args().peers
    log = movielens_small_log()
    assert log.ratings is not None
    shape = int(log.users.max()) + 1, int(log.items.max()) + 1
    splits: dict[str, NDArray[np.bool_]] = {
        f"random, draw {seed}": np.random.default_rng(seed).random(len(log.users)) < 0.2 for seed in (0, 1)
    }
    splits["by time"] = log.seconds > np.quantile(log.seconds, 0.8)
    print("| split | model | RMSE | MAE |\n|---|---|---|---|")
    for split, late in splits.items():
        before, after = log.where(~late), log.where(late)
        data = Dataset.from_arrays(
            before.users, before.items, rating=before.ratings, n_users=shape[0], n_items=shape[1]
        )
        for model in MODELS:
            name, parameters = parse(model)
            fitted = registry.create(name, parameters, seed=0).fit(data, registry.fit_options(name, parameters))
            assert isinstance(fitted, RatingPredictor) and after.ratings is not None
            predicted = fitted.predict(data, after.users, after.items)
            print(f"| {split} | {name} | {rmse(predicted, after.ratings):.4f} | {mae(predicted, after.ratings):.4f} |")
        with TemporaryDirectory() as folder:
            for part, array in (("user", log.users), ("item", log.items), ("rating", log.ratings), ("late", late)):
                np.save(Path(folder) / f"{part}.npy", array)
            command = [str(peers), "-c", PEER, folder]
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True) if peers else None
        for line in ran.stdout.splitlines() if ran else []:
            name, root, absolute = json.loads(line)
            print(f"| {split} | {name} | {root:.4f} | {absolute:.4f} |")


if __name__ == "__main__":
    sys.exit(main())
