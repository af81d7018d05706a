"""A training as a whole on a node of a cluster, of a model that gives none of its work away: a bucket of the engine.

The node starts the program of a candidate, which has its memory to itself, and ends with the bucket.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recmodels.base import Recommender
from recmodels.candidate_spec import Spec
from recmodels.compute.cores import threads
from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED
from recmodels.engine.current import engine
from recmodels.engine.work import Bucket, Machines, Needs, Work
from recmodels.errors import NightrecError
from recmodels.parted.training import code
from recmodels.supervised import WATCH, ended, threads_of

PROGRAM = "recmodels.candidate"
MODEL, RESULT, LOG = "model", "result.json", "log"  # of the part
NOW, THEN, EARLIER = "now", "then", "earlier"
ROOT = Path(__file__).parents[1]
KILLED = -9


def wants_a_node(spec: Spec, model: Recommender) -> bool:
    """Whether a model is trained by a node of the night's cluster, while this process waits.

    One whose process works with a cluster by itself is where its owner wants it: in a pool, say.
    """
    served = spec.engine is not None and spec.engine.served is not None
    return spec.fit and served and not model.delegates


def fit_on_a_node(spec: Spec, model: Recommender, data: Dataset) -> dict[str, Any]:
    """Have a node train a candidate, and write its model where it belongs.

    Args:
        spec: of the candidate.
        model: that is to be trained.
        data: to train it on; nothing but its numbers is read here.

    Returns:
        The result of the program there, with the `host` and the `device`.
    """
    assert spec.parts is not None
    inputs = _folders(NOW, spec.features, spec.split)
    if spec.earlier:
        inputs |= _folders(THEN, spec.earlier.features, spec.split) | {EARLIER: spec.earlier.model}
    needs = needs_of(spec, model, data, engine().machines())
    arguments = {
        "split": spec.split,
        "recommender": spec.recommender,
        "params": spec.params,
        "seed": spec.seed,
        "bootstrap": spec.bootstrap,
        "minutes": spec.minutes,
        "most_changed": spec.earlier and spec.earlier.most_changed,
        "gpus": needs.gpus,
    }
    folder = spec.parts / spec.result.stem
    [part] = engine().map(fit_whole, [Bucket(spec.recommender, inputs, arguments)], folder, code=code(), needs=needs)
    for line in (part / LOG).read_text(errors="replace").splitlines():
        print(line, file=sys.stderr)
    shutil.copytree(part / MODEL, spec.model, dirs_exist_ok=True)
    result: dict[str, Any] = json.loads((part / RESULT).read_text())
    shutil.rmtree(folder, ignore_errors=True)
    return result


def needs_of(spec: Spec, model: Recommender, data: Dataset, machines: Machines) -> Needs:
    """A node's share of the cores, the GPUs of the candidate where it computes on them, and its memory."""
    wanted = spec.device == "gpu" or (spec.device == "auto" and model.uses_gpu and machines.gpus > 0)
    return Needs(
        cores=max(1.0, machines.cores // max(1, machines.nodes)),
        gpus=(spec.gpus or 1) if wanted else 0,
        memory=model.process_memory(data.n_users, data.n_items, len(data)),
    )


def fit_whole(work: Work) -> None:
    """Train a candidate: its part has the model, the result, and what the program has logged.

    Raises:
        NightrecError: what it said.
        MemoryError: it was killed, as it is where memory runs out.
    """
    told = dict(work.arguments)
    gpus, most_changed = told.pop("gpus"), told.pop("most_changed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = folder / RESULT
        told |= {"fit": True, "lists": None, "model": str(work.out / MODEL), "result": str(result)}
        told["features"] = str(_linked(folder / NOW, work.inputs, told["split"]))
        if EARLIER in work.inputs:
            then = _linked(folder / THEN, work.inputs, told["split"])
            told["earlier"] = {"model": str(work.inputs[EARLIER].absolute()), "features": str(then)}
            told["earlier"]["most_changed"] = most_changed
        (folder / "spec.json").write_text(json.dumps(told))
        code = _run(folder / "spec.json", work.out / LOG, {} if gpus else {"CUDA_VISIBLE_DEVICES": ""})
        found = json.loads(result.read_text()) if result.exists() else {}
        if "error" in found:
            raise NightrecError(found["error"])
        if code == KILLED:
            raise MemoryError
        if code:
            last = ((work.out / LOG).read_text(errors="replace").strip().splitlines() or ["it left no message"])[-1]
            raise NightrecError(f"{told['recommender']} failed on {socket.gethostname()}: {last}")
    where = {"host": socket.gethostname(), "device": f"{gpus:g} GPUs" if gpus else "cpu"}
    (work.out / RESULT).write_text(json.dumps(found | where))


def _folders(name: str, features: Path, split: str) -> dict[str, Path]:
    """What a training reads of a features folder."""
    wanted = {f"{name}-{PREPARED}": features / PREPARED, f"{name}-split": features / split}
    return {key: path for key, path in wanted.items() if path.exists()}


def _linked(features: Path, inputs: Mapping[str, Path], split: str) -> Path:
    """A features folder of what there is of it."""
    features.mkdir()
    for name, key in ((PREPARED, f"{features.name}-{PREPARED}"), (split, f"{features.name}-split")):
        if key in inputs:
            (features / name).symlink_to(inputs[key].absolute())
    return features


def _run(spec: Path, log_file: Path, environment: Mapping[str, str]) -> int:
    """Run the program to its end, which comes at the latest with that of this process; its exit code."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(spec), WATCH],
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT,
            env=os.environ | threads_of(threads()) | dict(environment),
        )  # fmt: skip
        try:
            return ended(process)
        finally:  # the engine may have been told to stop
            process.kill()
            process.wait()
