"""Sequences of random nights, each beside one that reads everything: `python -m tests.benchmarks.known_nights`.

A part of them is in the tests; this is for many. `--seed` tells the first sequence: the one that failed is named, and
is found again by its seed with `--sequences 1`.
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.tasks.known_nights import CHANGES, Site, check
from tests.tasks.one_database import sharing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--nights", type=int, default=12, help="of a sequence")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    nights, known, changes = 0, 0, Counter[str]()
    with pytest.MonkeyPatch.context() as monkeypatch, sharing():
        for seed in range(given.seed, given.seed + given.sequences):
            drawn = random.Random(seed)
            with tempfile.TemporaryDirectory() as folder:
                site, done = Site(Path(folder) / "site"), list[tuple[str, int]]()
                for _ in range(given.nights):
                    done.append((drawn.choice(list(CHANGES)), drawn.randrange(1000)))
                    try:
                        check(site, *done[-1], monkeypatch)
                    except Exception:
                        print(f"the sequence of seed {seed} differs after {done}")
                        raise
                    changes[done[-1][0]] += 1
                nights, known = nights + given.nights, known + site.known
    print(f"{nights:,} nights say the same as from scratch; {known:,} files were known in them")
    for change, count in changes.most_common():
        print(f"{count:6,} {change}")


if __name__ == "__main__":
    main()
