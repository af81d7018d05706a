"""Find published findings again.

    python -m tests.benchmarks.findings [NAME ...] [--seeds N] [--jobs N] [--keep FOLDER]

Prints a table of effects with their intervals for each, and ends with 1 if one of them is not as it was claimed; those
that are known to differ must go on to do so.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.findings import amplification, control, degeneracy, homogeneity, illusion
from tests.benchmarks.findings.effects import HEADER, Effect

REAL_DATA = Path(os.environ.get("NIGHTREC_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


@dataclass(frozen=True)
class Finding:
    """How a seed is run, and what is made of all of them."""

    title: str
    seeds: int
    measured: Callable[[int], dict[str, Any]]
    effects: Callable[[list[dict[str, Any]]], list[Effect]]


def _on_movielens(folder: Path, seed: int) -> dict[str, Any]:
    return amplification.measured(seed, lambda _: amplification.movielens(folder))


FINDINGS = {
    "homogeneity": Finding(homogeneity.TITLE, homogeneity.SEEDS, homogeneity.measured, homogeneity.effects),
    "amplification": Finding(
        amplification.TITLE, amplification.SEEDS, partial(_on_movielens, REAL_DATA), amplification.effects
    ),
    "degeneracy": Finding(degeneracy.TITLE, degeneracy.SEEDS, degeneracy.measured, degeneracy.effects),
    "illusion": Finding(illusion.TITLE, illusion.SEEDS, illusion.measured, illusion.effects),
    "control": Finding(control.TITLE, control.SEEDS, control.measured, control.effects),
}


def _kept(name: str, folder: Path | None, seed: int) -> dict[str, Any]:
    """The values of a seed, from the folder where they are there."""
    if folder is None:
        return FINDINGS[name].measured(seed)
    path = folder / f"{name}-{seed}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(FINDINGS[name].measured(seed), default=np.ndarray.tolist))
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FINDINGS)}; all by default")
    parser.add_argument("--seeds", type=int, help="other than each finding's own number")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--keep", type=Path, help="a folder for what each seed came to, which is not run again")
    given = parser.parse_args()
    if unknown := set(given.names) - set(FINDINGS):
        parser.error(f"there is no finding {', '.join(sorted(unknown))}; there are {', '.join(FINDINGS)}")
    failed = 0
    for name in given.names or FINDINGS:
        finding = FINDINGS[name]
        seeds, start = given.seeds or finding.seeds, time.perf_counter()
        with ProcessPoolExecutor(given.jobs) as pool:
            runs = list(pool.map(partial(_kept, name, given.keep), range(seeds)))
        effects = finding.effects(runs)
        print(f"\n## {finding.title}\n\n{seeds} seeds, {time.perf_counter() - start:.0f} s\n\n{HEADER}")
        print("\n".join(effect.row() for effect in effects), flush=True)
        failed += sum(effect.surprising for effect in effects)
    if failed:
        print(f"\n{failed} effects are not as they were.", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
