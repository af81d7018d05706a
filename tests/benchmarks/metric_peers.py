"""What other libraries make of the same lists.

``PYTHON -m tests.benchmarks.metric_peers > tests/recmodels/metrics/peers.json``, where PYTHON has ranx, ir-measures and
rectools. The file holds the lists, the truth and each library's figures, against which
``tests/recmodels/metrics/test_ranking_peers.py`` holds ours, so that nobody needs these libraries to run the tests.
"""

import json

import ir_measures
import numpy as np
import pandas as pd
import ranx
import rectools.metrics as rt

N, M, K = 20, 40, 8


def main() -> None:
    rng = np.random.default_rng(7)
    items = np.argsort(rng.random((N, M)), axis=1)[:, :K]
    rating = rng.integers(1, 6, (N, M)) * (rng.random((N, M)) < rng.choice([0.05, 0.2, 0.5], (N, 1)))
    rating[np.arange(N), rng.integers(0, M, N)] = 4
    train = (rng.random((30, M)) < np.linspace(0.7, 0.05, M)).astype(int)
    train[:, 0] |= True
    train[0] = 1  # everybody had item 0, and every item was had
    users = [f"u{u:02d}" for u in range(N)]
    run = {user: {f"i{i}": float(K - r) for r, i in enumerate(row)} for user, row in zip(users, items, strict=True)}
    graded = {
        user: {f"i{i}": int(row[i]) for i in np.flatnonzero(row)} for user, row in zip(users, rating, strict=True)
    }
    binary = {user: dict.fromkeys(of_user, 1) for user, of_user in graded.items()}

    names = ["ndcg", "recall", "precision", "hit_rate", "map", "mrr"]
    by_ranx = ranx.evaluate(ranx.Qrels(binary), ranx.Run(run), [f"{name}@{K}" for name in names], return_mean=False)
    figures = {"ranx": {name: by_ranx[f"{name}@{K}"].tolist() for name in names}}
    figures["ranx"]["ndcg_graded"] = ranx.evaluate(
        ranx.Qrels(graded), ranx.Run(run), f"ndcg@{K}", return_mean=False
    ).tolist()

    measures = {
        "ndcg": ir_measures.parse_measure(f"nDCG@{K}"),
        "recall": ir_measures.parse_measure(f"R@{K}"),
        "precision": ir_measures.parse_measure(f"P@{K}"),
        "hit_rate": ir_measures.parse_measure(f"Success@{K}"),
        "map": ir_measures.parse_measure(f"AP@{K}"),
        "mrr": ir_measures.parse_measure(f"RR@{K}"),
    }
    figures["ir_measures"] = {name: of(measure, binary, run, users) for name, measure in measures.items()}
    figures["ir_measures"]["ndcg_graded"] = of(measures["ndcg"], graded, run, users)

    reco = pd.DataFrame(
        {"user_id": np.repeat(np.arange(N), K), "item_id": items.ravel(), "rank": np.tile(np.arange(1, K + 1), N)}
    )
    row, column = np.nonzero(rating)
    truth = pd.DataFrame({"user_id": row, "item_id": column})
    had, what = np.nonzero(train)
    before = pd.DataFrame({"user_id": had, "item_id": what})
    metrics = {
        "recall": rt.Recall(K), "precision": rt.Precision(K), "hit_rate": rt.HitRate(K), "mrr": rt.MRR(K),
        "map": rt.MAP(K), "ndcg": rt.NDCG(K), "novelty": rt.MeanInvUserFreq(K),
        "average_popularity": rt.AvgRecPopularity(K, normalize=True),
    }  # fmt: skip
    figures["rectools"] = {}
    for name, metric in metrics.items():
        more = (
            {"interactions": truth} if name not in ("novelty", "average_popularity") else {"prev_interactions": before}
        )
        figures["rectools"][name] = metric.calc_per_user(reco=reco, **more).sort_index().tolist()
    whole = rt.CatalogCoverage(K, normalize=True).calc(reco=reco, catalog=np.arange(M))
    figures["rectools"]["coverage"] = whole
    content = {
        "k": K,
        "items": items.tolist(),
        "rating": rating.tolist(),
        "users_of_item": train.sum(axis=0).tolist(),
        "n_users": len(train),
        "figures": figures,
    }
    print(json.dumps(content))


def of(
    measure: object, truth: dict[str, dict[str, int]], run: dict[str, dict[str, float]], users: list[str]
) -> list[float]:
    found = {figure.query_id: figure.value for figure in ir_measures.iter_calc([measure], truth, run)}
    return [found[user] for user in users]


if __name__ == "__main__":
    main()
