"""Runs harnesses of `tests/reliability` and prints the table of each: `python -m tests.reliability [NAME ...]`."""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from flows.operate.server import quiet_prefect
from tests.reliability.harness import Report, harnesses, own_temporary_folder, table

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the harnesses that are named, or all; returns 1 if any promise was broken."""
    known = harnesses(HERE)
    options, rest = _parser().parse_known_args(arguments)
    if options.list:
        for name, description in known.items():
            print(f"{name:<10} {description}")
        return 0
    if unknown := [name for name in options.names if name not in known]:
        print(f"There is no harness {unknown[0]}: there are {', '.join(known)}.", file=sys.stderr)
        return 2
    names = options.names or list(known)
    if rest and len(names) != 1:
        print(f"{rest[0]}: name the one harness that this option is for.", file=sys.stderr)
        return 2
    own = TemporaryDirectory(prefix="nightrec-reliability-")
    with own as folder, own_temporary_folder(Path(folder)), patch.dict(os.environ, PREFECT_HOME=f"{folder}/prefect"):
        Path(folder).chmod(0o711)  # servers that root starts as another user have their folders here
        quiet_prefect(debug=False)
        reports = {name: _run(name, known[name], rest) for name in names}
    if options.json:
        found = {name: {"rows": report.rows, "broken": report.broken} for name, report in reports.items()}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(any(report.broken for report in reports.values()))


def _run(name: str, description: str, arguments: list[str]) -> Report:
    print(f"\n## {name}: {description}\n", flush=True)
    started, cpu = time.perf_counter(), time.process_time()
    report: Report = importlib.import_module(f"tests.reliability.{name}").main(arguments)
    print(table(report.rows))
    for promise in report.broken:
        print(f"BROKEN: {promise}")
    print(f"\n{time.perf_counter() - started:.0f} s ({time.process_time() - cpu:.0f} s of CPU here)", flush=True)
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="harnesses to run; all, if none is named")
    parser.add_argument("--list", action="store_true", help="name the harnesses and leave it at that")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows and the broken promises there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
