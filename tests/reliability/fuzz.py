"""Damaged and odd inputs, settings, stores and command lines: each is handled, or refused in a sentence.

    python -m tests.reliability fuzz [--inputs N] [--seed S] [--minutes M] [--area NAME]

No input may end in a traceback, an error that nobody foresaw, a hang, a wrong exit code, or a message of several lines,
of more than 400 characters, or with characters that command the terminal. The same seed makes the same inputs. Of each
fault an input is printed that is as small as could be made.
"""

import argparse
import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.reliability.fuzz_case import Area, Case, problem, smaller
from tests.reliability.fuzz_commands import Commands
from tests.reliability.fuzz_readers import Readers
from tests.reliability.fuzz_settings import Settings
from tests.reliability.fuzz_stores import Stores
from tests.reliability.harness import Report, Row

AREAS: Mapping[str, Area] = {"readers": Readers(), "settings": Settings(), "commands": Commands(), "stores": Stores()}
SHARES = {"readers": 0.4, "settings": 0.3, "commands": 0.15, "stores": 0.15}
INPUTS = 20_000
FEWEST = 6  # of an area that are tried, however long they take


def main(arguments: list[str]) -> Report:
    """Try inputs of each area, and report the faults."""
    parser = argparse.ArgumentParser(prog="fuzz", allow_abbrev=False)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="try no more after so long")
    parser.add_argument("--area", choices=AREAS)
    options = parser.parse_args(arguments)
    areas = [options.area] if options.area else list(AREAS)
    total = sum(SHARES[name] for name in areas)
    rows: list[Row] = []
    broken = []
    for name in areas:
        share = SHARES[name] / total
        row, faults = fuzz(name, round(options.inputs * share), options.seed, 60 * options.minutes * share)
        rows.append(row)
        broken += faults
    return Report(rows, broken)


def fuzz(name: str, inputs: int, seed: int, seconds: float = 1e9) -> tuple[Row, list[str]]:
    """Try inputs of an area: figures, and a sentence for each fault with the smallest input that shows it."""
    area, began, faults, first = AREAS[name], time.perf_counter(), Counter[str](), dict[str, tuple[int, Case]]()
    done = 0
    slowest = 0.0
    with TemporaryDirectory(prefix="nightrec-fuzz-") as root, _quiet():
        folder = Path(root) / "a" / "b" / "site"  # what climbs out of it stays in the temporary folder
        folder.mkdir(parents=True)
        for number in range(inputs):
            if done >= FEWEST and time.perf_counter() - began > seconds:
                break
            case = area.make(Random(f"{name} {seed} {number}"))
            start = time.perf_counter()
            if found := problem(area, case, folder):
                faults[found] += 1
                first.setdefault(found, (number, case))
            slowest = max(slowest, time.perf_counter() - start)
            done += 1
        broken = []
        for found, times in faults.most_common():
            number, case = first[found]
            least = smaller(area, case, folder, found)
            broken.append(f"{name}, seed {seed}, input {number} ({times} times): {found}; as in {least}")
    row = {"area": name, "inputs": done, "faults": len(faults), "slowest s": slowest, "s": time.perf_counter() - began}
    return row, broken


@contextmanager
def _quiet() -> Iterator[None]:
    """No log while inputs are tried; warnings are faults of messages, but what Python repeats is not."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            yield
    finally:
        logging.disable(logging.NOTSET)
