"""What buckets of ALS do."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recmodels.engine.work import Work
from recmodels.factors import als_buckets
from recmodels.factors.als_buckets import Problem
from recmodels.parted.arrays import mapped, write_arrays
from recmodels.parted.data import data_parts, user_range
from recmodels.parted.training import PartedTraining
from recmodels.testing import N_ITEMS, small_site

F, EDGES = 3, [0, 10, N_ITEMS]
PROBLEM = Problem(0.5, 1.0, 1.0, 0.1, 0.5, cg_steps=1, tolerance=0.0)


def written(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    write_arrays(folder, arrays)
    return folder


def out(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("residual", [False, True])
def test_products_are_those_of_the_users_of_each_item(work: PartedTraining, tmp_path: Path, residual: bool) -> None:
    rng, parts = np.random.default_rng(0), data_parts(work, small_site())[:2]
    inputs = {f"data-{i:04}": part for i, part in enumerate(parts)}
    listed = Work(inputs, {"parts": [0, 1], "edges": EDGES}, out(tmp_path / "rows"), 0)
    als_buckets.list_items(listed)
    given = rng.standard_normal((N_ITEMS, F)).astype(np.float32)
    expected = np.zeros((N_ITEMS, F))
    for i, part in enumerate(parts):
        own = user_range(part)
        users = rng.standard_normal((own.by_user.shape[0], F)).astype(np.float32)
        inputs[f"users-{i:04}"] = written(tmp_path / f"users-{i}", vectors=users)
        weights = own.by_item.toarray()
        along = given[own.items] @ users.T
        expected[own.items] += (weights * (1 - along if residual else along)) @ users
    for i, (first, last) in enumerate(pairwise(EDGES)):
        inputs[f"given-{i:04}"] = written(tmp_path / f"given-{i}", given=given[first:last]) / "given.npy"
    told = {"parts": [0, 1], "edges": EDGES, "residual": residual}
    als_buckets.add_products(Work(inputs | {"rows": listed.out}, told, out(tmp_path / "sums"), 0))
    found = np.zeros((N_ITEMS, F))
    for i, first in enumerate(EDGES[:-1]):
        found[first + mapped(listed.out, f"rows-{i:04}")] = mapped(tmp_path / "sums", f"sums-{i:04}")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_step_is_one_of_preconditioned_conjugate_gradients(tmp_path: Path) -> None:
    """For an item with users v_u, weights 1: (diag + Σ v vᵀ) y = Σ v, from y = 0, one step with the preconditioner."""
    rng = np.random.default_rng(1)
    users = rng.standard_normal((5, F)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.standard_normal((F, F)))
    rotation = rotation.astype(np.float32)
    values, penalty = np.array([3.0, 2.0, 1.0]), np.array([0.25], np.float32)
    basis = written(tmp_path / "basis", values=values, rotation=rotation)
    before = written(tmp_path / "before", items=np.zeros((1, F), np.float32))
    inputs = {"basis": basis, "penalty": written(tmp_path / "start", penalty=penalty) / "penalty.npy"}
    rows = written(tmp_path / "rows", rows=np.zeros(1, np.int32)) / "rows.npy"
    scale = (0.5 * values + 0.25)[None, :]
    right = (users @ rotation).sum(axis=0)[None, :]
    direction = right / scale
    for step, products in enumerate([users.sum(axis=0), (users @ (direction @ rotation.T)[0]) @ users]):
        sums = written(tmp_path / f"sums-{step}", sums=products[None, :].astype(np.float32)) / "sums.npy"
        told = {"parts": 1, "step": step, "problem": vars(PROBLEM)}
        given = inputs | {"before": before, "rows-0000": rows, "sums-0000": sums}
        als_buckets.take_step(Work(given, told, before := out(tmp_path / f"step-{step}"), 0))
        if step == 0:
            np.testing.assert_allclose(mapped(before, "given"), direction @ rotation.T, rtol=1e-5)
    turned = users @ rotation
    matrix = np.diag(scale[0]) + turned.T @ turned
    length = (right @ direction.T) / (direction @ matrix @ direction.T)
    np.testing.assert_allclose(mapped(before, "items"), length * direction, rtol=1e-4)
    np.testing.assert_allclose(mapped(before, "gram"), mapped(before, "items").T @ mapped(before, "items"), rtol=1e-5)


def test_functions_are_found_by_name() -> None:
    for name in ("diagonal_basis", "turn", "improve_users", "list_items", "add_products", "take_step"):
        assert getattr(als_buckets, name).__qualname__ == name
