"""A night on the demo site, and what Prefect adds to it: ``python -m tests.benchmarks.night``.

Prefect's share is measured by a flow of as many tasks as a night has, which do nothing: its import, the start and end
of its embedded server, and the bookkeeping of the tasks. Each figure is the median of three fresh processes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS, TASKS = 3, 19
EMPTY_FLOW = f"""
from flows.operate.server import quiet_prefect
from flows.operate.server import embedded_server
quiet_prefect(debug=False)
with embedded_server() as ready:
    from prefect import flow
    from tasks.store.stage import stage_task

    @stage_task("nothing-{{n}}")
    def nothing(n): return n

    @flow
    def empty(): return [nothing(n) for n in range({TASKS})]

    ready()
    empty()
"""


def seconds(command: list[str], home: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PREFECT_HOME": home})
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        night = [sys.executable, "-m", "flows", "run", "--store", f"{folder}/store", "--date", "2026-11-25"]
        record = Path(folder) / "store" / "nights" / "2026-11-25" / "night.json"
        empty = [sys.executable, "-c", EMPTY_FLOW]
        print(f"first night ever (Prefect makes its database): {seconds(night, folder):.1f} s")
        figures: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, command in (("fresh", [*night, "--fresh"]), ("repeated", night), ("Prefect", empty)):
                figures.setdefault(f"{name}, whole process", []).append(seconds(command, folder))
                if name == "fresh":
                    figures.setdefault("fresh, the stages", []).append(json.loads(record.read_text())["seconds"])
        for name, values in figures.items():
            print(f"{name}: {statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
