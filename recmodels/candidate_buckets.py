"""The lists of a candidate in buckets of users, each of which reads the interactions of its own users alone."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recmodels import registry
from recmodels.base import Recommender
from recmodels.candidate_lists import domains_of, list_files, lists_of, rules_of, step_of, table_of, write_tables
from recmodels.candidate_spec import ListsSpec, Spec
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED, Split
from recmodels.data.memory import data_memory
from recmodels.engine.current import engine
from recmodels.engine.kept import Kept
from recmodels.engine.parts import digest
from recmodels.engine.work import Bucket, Needs, Work
from recmodels.parted.arrays import linked, mapped, write_arrays
from recmodels.parted.training import code, made
from recmodels.persistence import load, own_recommenders, save
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from recmodels.scoring.ratings import RatingPredictor

BASIS, ABOUT, MODEL, RULES, FEATURES = "basis", "about.json", "model", "rules.parquet", "features"
RATED, PREDICTED = ("rated_users", "rated_items"), "predicted"
MEMORY = 2**30  # bytes of a bucket: some batches of scores


def write_lists_in_buckets(
    spec: Spec,
    lists: ListsSpec,
    folder: Path,
    model: Recommender,
    fallback: Popularity,
    data: Dataset,
    users: Ints,
    allowed: Bools,
    pairs: tuple[Ints, Ints] | None = None,
) -> Floats | None:
    """Write the same files as `write_lists`, of parts that the engine makes in `folder`.

    Returns:
        What the model predicts of `pairs` of some of the users, ascending, and items; None without them.
    """
    rules = rules_of(lists, model, fallback, data, users, allowed)
    prices = None if rules is None or rules.bounds is None else rules.bounds.prices
    arrays = {"users": users, "allowed": allowed, "popular": fallback.scores_}
    arrays |= {} if prices is None else {"prices": prices}
    arrays |= {} if pairs is None else dict(zip(RATED, pairs, strict=True))

    def write(out: Path) -> None:
        save(model, out / MODEL)
        write_arrays(out, arrays)
        if lists.rules is not None:
            shutil.copyfile(lists.rules, out / RULES)
        for source in (spec.features / PREPARED, spec.features / spec.split):
            for path in sorted(source.rglob("*")) if source.exists() else ():
                if path.is_file():
                    linked(path, out / FEATURES / path.relative_to(spec.features))
        about = {"split": spec.split, "lists": asdict(lists) | {"out": "", "rules": None}}
        (out / ABOUT).write_text(json.dumps(about, sort_keys=True))

    key = _key(spec, lists, arrays)
    basis = made(folder / f"lists-{key[:16]}" / BASIS, key, write)
    recommenders, step = own_recommenders(basis / MODEL), step_of(lists)
    buckets = [
        Bucket(f"part-{start:09d}", {BASIS: basis}, {"start": start, "recommenders": recommenders})
        for start in range(0, len(users), step)
    ]
    needs = Needs(memory=MEMORY + (data_memory(data.n_users, data.n_items, len(data)) if model.needs_others else 0))
    try:
        parts = engine().map(write_some, buckets, basis.with_name("parts"), code=code(), needs=needs)
    finally:
        _kept.let_go()
    for name in list_files(rules, allowed, domains_of(lists, spec.features)):
        write_tables(lists.out / name, (pq.read_table(part / name) for part in parts))
    predicted = None if pairs is None else np.concatenate([mapped(part, PREDICTED) for part in parts])
    shutil.rmtree(basis.parent, ignore_errors=True)
    return predicted


def write_some(work: Work) -> None:
    """Write the lists of some users, as they are shown and as they would be without rules, and predicted ratings."""
    for name in work.arguments["recommenders"]:
        registry.kind_of(name)
    basis, start = _kept.of(work.inputs[BASIS]), work.arguments["start"]
    users = basis.users[start : start + step_of(basis.lists)]
    data = basis.everybody or Dataset.load(
        basis.features, basis.split, users=np.unique(users), terms=(basis.nobody.terms, basis.nobody.user_terms)
    )
    for name, kind in list_files(basis.rules, basis.allowed, domains_of(basis.lists, basis.features)).items():
        served = lists_of(basis.lists, basis.model, basis.fallback, data, users, kind)
        pq.write_table(table_of(served), work.out / name)
    if basis.rated is not None and isinstance(basis.model, RatingPredictor):
        rated_users, rated_items = basis.rated
        begin, end = np.searchsorted(rated_users, [users[0], users[-1] + 1])
        predicted = basis.model.predict(data, rated_users[begin:end], rated_items[begin:end])
        write_arrays(work.out, {PREDICTED: predicted})


@dataclass(frozen=True, eq=False)
class _Basis:
    """What lists are made from, where some of them are made."""

    features: Path
    split: Split
    lists: ListsSpec
    model: Recommender
    fallback: Popularity
    users: Ints
    allowed: Bools
    rated: tuple[Ints, Ints] | None
    rules: Rules | None
    nobody: Dataset
    everybody: Dataset | None

    @classmethod
    def read(cls, part: Path) -> "_Basis":
        about = json.loads((part / ABOUT).read_text())
        features, split = part / FEATURES, about["split"]
        model = load(part / MODEL, mapped=True)
        fallback = Popularity()
        fallback.scores_ = mapped(part, "popular")
        fallback.n_items_ = len(fallback.scores_)
        rules = Rules.load(part / RULES) if (part / RULES).exists() else None
        if rules is not None and (part / "prices.npy").exists():
            rules = rules.at(mapped(part, "prices"))
        nobody = Dataset.load(features, split, users=np.empty(0, np.int32))
        return cls(
            features=features,
            split=split,
            lists=ListsSpec.of(about["lists"]),
            model=model,
            fallback=fallback,
            users=mapped(part, "users"),
            allowed=mapped(part, "allowed"),
            rated=(mapped(part, RATED[0]), mapped(part, RATED[1])) if (part / f"{RATED[0]}.npy").exists() else None,
            rules=rules,
            nobody=nobody,
            everybody=Dataset.load(features, split) if model.needs_others else None,
        )


_kept = Kept(_Basis.read)


def _key(spec: Spec, lists: ListsSpec, arrays: dict[str, np.ndarray]) -> str:
    """What the lists are made from."""
    said = [spec.split, spec.recommender, spec.params, {**asdict(lists), "out": "", "rules": ""}]
    found = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    files = [*sorted(spec.model.rglob("model.*")), *([lists.rules] if lists.rules else [])]
    files += sorted((spec.features / PREPARED).rglob("*.parquet"))
    for path in files:
        found.update(digest(path).encode())
    for name, array in sorted(arrays.items()):
        found.update(name.encode() + np.ascontiguousarray(array).data)
    return found.hexdigest()
