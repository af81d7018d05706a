"""What it costs to read with hashes what a night has written: ``python -m tests.benchmarks.hashing STORE [--date D]``.

Of a night that is there (any `nightrec run` leaves one), the time of checking every stage's files against the hashes
of its manifest, and the files of its export, each once as when the night is run again, beside the time that the night
took. The last line is what a night pays that is not run again: what its lists are made of is checked before they are
made, and the lists before it once more when what changed is written. Seconds are those of the cores: the machine may
have others to serve, and each file is hashed by one of them.
"""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tasks.store.exports import newest_export
from tasks.store.manifests import damage, manifest_of
from tasks.store.paths import Store
from tasks.store.records import FileEntry


def seconds_of(folder: Path, files: Sequence[FileEntry]) -> tuple[float, int]:
    """Seconds of the cores that a folder's files take to be checked, and their bytes."""
    started = time.process_time()
    if damaged := damage(folder, files):
        print(f"damaged: {damaged}")
    return time.process_time() - started, sum(file["bytes"] for file in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--date", type=date.fromisoformat)
    arguments = parser.parse_args()
    store = Store(arguments.store)
    night = store.night(arguments.date) if arguments.date else store.last_nights()[-1]
    took = json.loads(night.summary.read_text())["seconds"]
    found = {path.parent: manifest_of(path.parent) for path in sorted(night.folder.rglob("manifest.json"))}
    figures = {folder: seconds_of(folder, manifest["files"]) for folder, manifest in found.items() if manifest}
    export = newest_export(store, night.run_date)
    if export:
        figures[store.export(export["export_id"])] = seconds_of(store.export(export["export_id"]), export["files"])
    for folder, (seconds, size) in figures.items():
        name = folder.relative_to(store.root)
        print(f"{name!s:48} {size / 1e6:9.1f} MB {1000 * seconds:8.1f} ms {100 * seconds / took:6.2f} % of the night")
    seconds, size = (sum(figure[place] for figure in figures.values()) for place in (0, 1))
    share = f"{1000 * seconds:8.1f} ms {100 * seconds / took:6.2f} %"
    print(f"{'all, as when it is run again':48} {size / 1e6:9.1f} MB {share}")
    once = [night.prepared, night.champion, *([store.export(export["export_id"])] if export else [])]
    seconds = sum(figures[folder][0] for folder in once if folder in figures)
    print(f"{'of a night that is not: its lists':48} {'':12} {1000 * seconds:8.1f} ms {100 * seconds / took:6.2f} %")


if __name__ == "__main__":
    main()
