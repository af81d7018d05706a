"""Nights on a Ray cluster of this machine: what they cost beside this machine's engine, and what losses do to them.

    python -m tests.benchmarks.cluster_nights SITE [SITE ...] [--show overhead kills driver head s3] [--kills N]

SITE is what `nightrec demo` wrote. The cluster is a head without cores and two nodes with one each; a night has
`popularity`, and `item_knn` and `als` or what `--models` names. Whatever happens to it, the night leaves what the one
on this machine's engine has left: the SHA-256 of each table, model and list is compared.

- overhead: the seconds of both nights.
- kills: nodes are killed in each stage of the night that gives its work to them, as many in one as in another, at
  random moments, and others join; nights are run until all were killed.
- driver: the night's process is killed in each stage that has begun to leave parts, and the night is run again: no part
  that was finished is made again.
- head: the cluster's head is killed in ingest and in a training; how long the night takes to say so, and that it goes
  on elsewhere.
- s3: the nodes see nothing of the disk of the night's process (which has a mount namespace of its own, for which one
  must be root), and find files on an S3 server alone; they fetch the interactions from there, too, and all is compared
  but the tables that name the files which their rows are of.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow.fs as pafs

from recmodels.engine.parts import ABOUT, TEMPORARY
from tasks.publish.mirror import send
from tests.clusters import CREDENTIALS, RayNodes, ray_nodes
from tests.flows.test_engine import data_of
from tests.tasks.servers import s3

DATE, MODELS = "2026-11-01", "item_knn,als"
ROOT = Path(__file__).parents[2]
SEED = 1
IN_FLIGHT = re.compile(r"was lost with (a|\d+) buckets? of (\S+) in flight")
IDLE = 5.0  # seconds without another part, after which no stage is said to be at work
MOST_NIGHTS = 10  # in which all nodes must have been killed
NAMING_FILES = ("landed", "raw", "valid", "quarantine")  # folders with tables that do
HEAD_LOST = 60.0  # seconds in which a night must say so


@dataclass(frozen=True)
class Site:
    """A night of a site, in a folder of its own.

    Attributes:
        folder: of the site.
        here: of the night.
        engine: the lines of its settings.
        models: that are its candidates.
        interactions: where they are, if not in the folder.
    """

    folder: Path
    here: Path
    engine: str
    models: str
    interactions: str = ""

    @property
    def night(self) -> Path:
        return self.here / "store" / "nights" / DATE

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.night / "night.json").read_text())
        return found

    @property
    def parts(self) -> Path:
        return self.night / "parts"

    def finished(self) -> dict[str, int]:
        """The parts that are there, and when each was made."""
        found = {}
        for folder, below, files in os.walk(self.parts):  # some of which go meanwhile
            below[:] = [name for name in below if not name.startswith(TEMPORARY)]
            with suppress(FileNotFoundError):
                if ABOUT in files:
                    found[os.path.relpath(folder, self.parts)] = Path(folder, ABOUT).stat().st_ctime_ns
        return found

    def at_work(self) -> str | None:
        """The stage that has just begun or made a part; of the trainings, the model, or what several of them share."""
        newest, at_work = time.time() - IDLE, None
        for folder, _, _ in os.walk(self.parts):
            with suppress(FileNotFoundError):  # some go meanwhile
                stage, below, *_ = *Path(folder).relative_to(self.parts).parts, "", ""
                changed = Path(folder).stat().st_mtime
                if stage and (stage != "train" or below) and changed > newest:
                    newest = changed
                    at_work = f"{stage} {below.rpartition('-')[0]}" if stage == "train" else stage
        return at_work

    def start(self, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        """Begin the night; `before` are words that its command is said with."""
        self.here.mkdir(parents=True, exist_ok=True)
        settings = self.here / "nightrec.toml"
        settings.write_text(f"[engine]\n{self.engine}\n", encoding="utf-8")
        inputs = ["--interactions", self.interactions or f"{self.folder}/interactions*.parquet"]
        inputs += [f"--{table}={self.folder}/{table}.parquet" for table in ("items", "users")]
        command = [*before, sys.executable, "-m", "flows", "run", "--config", str(settings), "--date", DATE]
        command += ["--store", str(self.here / "store"), "--models", self.models, *inputs]
        log = (self.here / "log").open("a", encoding="utf-8")
        environment = os.environ | CREDENTIALS | {"PREFECT_HOME": str(self.here / "prefect")}
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environment, text=True)

    def run(self) -> "Site":
        """The whole night."""
        assert self.start().wait() == 0, (self.here / "log").read_text()
        return self


@dataclass
class Show:
    """What is shown of one site.

    Attributes:
        site: its folder.
        folder: for all nights.
        models: of each.
        expected: what the night on this machine's engine has left.
        seconds: that it took.
        lasted: the stages that make parts, and for how many seconds each did.
        chance: when what happens.
    """

    site: Path
    folder: Path
    models: str
    expected: dict[str, str]
    seconds: float
    lasted: dict[str, float]
    chance: random.Random

    def on(self, nodes: RayNodes, name: str, more: str = "") -> Site:
        engine = f'kind = "ray"\naddress = "{nodes.address}"\n{more}'
        return Site(self.site, self.folder / name, engine, self.models)

    def compared(self, night: Site, but: tuple[str, ...] = ()) -> str:
        found, expected = (
            {path: digest for path, digest in one.items() if not set(but) & set(Path(path).parts)}
            for one in (data_of(night.here), self.expected)
        )
        others = {path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)}
        assert not others, f"not the same bytes: {sorted(others)}"
        return f"the same bytes in all {len(found)} files"

    def overhead(self) -> None:
        with ray_nodes() as nodes:
            night = self.on(nodes, "overhead").run()
        found = night.record["seconds"]
        print(f"overhead: {found:.1f} s, {found / self.seconds:.2f} times as long; {self.compared(night)}", flush=True)

    def kills(self, number: int) -> None:
        stages = list(self.lasted)
        due = Counter(stages[n % len(stages)] for n in range(number))
        killed, again, said = Counter[str](), Counter[str](), Counter[str]()
        nights: list[Site] = []
        with ray_nodes() as nodes:
            while due.total() and len(nights) < MOST_NIGHTS:
                nights.append(night := self.on(nodes, f"kills-{len(nights) + 1}"))
                running = night.start()
                while running.poll() is None:
                    time.sleep(0.05)
                    if not due[stage := night.at_work() or ""]:
                        continue
                    time.sleep(self.chance.uniform(0, self.lasted[stage] / 2))
                    if night.at_work() == stage:  # else it was over sooner than that, and is killed in the next night
                        nodes.kill(self.chance.choice(nodes.nodes))
                        nodes.add()
                        due[stage] -= 1
                        killed[stage] += 1
                assert running.returncode == 0, (night.here / "log").read_text()
        same = {self.compared(night) for night in nights}
        for note in (note for night in nights for note in night.record["engine"]["notes"]):
            said[note["message"]] += 1
            if lost := IN_FLIGHT.search(note["message"]):
                again[note["stage"]] += 1 if lost[1] == "a" else int(lost[1])
        print(f"kills: {killed.total()} nodes killed in {len(nights)} nights, {', '.join(same)}")
        print("| stage | nodes killed | buckets made again |\n|---|---|---|")
        for stage in [*stages, *sorted(again.keys() - set(stages))]:
            print(f"| {stage} | {killed[stage]} | {again[stage]} |", flush=True)
        assert not due.total(), f"in {MOST_NIGHTS} nights there was no moment for {+due}"

    def driver(self) -> None:
        with ray_nodes() as nodes:
            night = self.on(nodes, "driver")
            killed, kills = set[str](), 0
            repeated: list[str] = []
            while True:
                before, running = night.finished(), night.start()
                with _watching(night, before, repeated):
                    stage = _until_parts(night, running, lambda one: one not in killed)
                    if stage is None:
                        break
                    time.sleep(self.chance.uniform(0, self.seconds / 40))
                    running.kill()
                    running.wait()
                kills += 1
                killed.add(stage)
                time.sleep(5)  # what the killed one has left on the nodes ends
                print(f"driver: killed in {stage}, {len(night.finished())} parts were finished", flush=True)
            assert running.returncode == 0, (night.here / "log").read_text()
        assert not repeated, f"made again: {repeated}"
        print(f"driver: killed {kills} times, no finished part was made again; {self.compared(night)}", flush=True)
        for line in night.record["stages"]:
            if "had been made" in line["message"]:
                print(f"  {line['stage']}: {line['message']}")

    def head(self) -> None:
        night = Site(self.site, self.folder / "head", "", self.models)
        for stage in ("ingest", "train"):
            with ray_nodes() as nodes:
                night = self.on(nodes, "head")
                running = night.start()
                found = _until_parts(night, running, lambda one, stage=stage: one == stage)  # type: ignore[misc]
                assert found, (night.here / "log").read_text()
                nodes.cluster.head_node.kill_gcs_server(check_alive=False)
                began = time.monotonic()
                code, seconds = running.wait(), time.monotonic() - began
            record = night.record
            assert (code, record["status"]) == (1, "failed"), (code, record["status"], (night.here / "log").read_text())
            print(f"head: killed in {stage}; after {seconds:.0f} s exit code {code}: {record['reason']}", flush=True)
            assert seconds < HEAD_LOST
        with ray_nodes() as nodes:
            night = self.on(nodes, "head").run()
        print(f"head: run again on another cluster, {self.compared(night)}", flush=True)

    def s3(self) -> None:
        hidden, real = self.folder / "hidden", Site(self.site, self.folder / "s3", "", self.models)
        self.site.rename(hidden)  # nodes see an empty folder: the rows say where they were read
        seen = self.folder / "seen"
        for one in (self.site, seen, real.here):
            one.mkdir()
        with ray_nodes() as nodes, s3() as host:
            files = pafs.S3FileSystem(
                endpoint_override=host, scheme="http", allow_bucket_creation=True, access_key="nobody", secret_key="-"
            )
            files.create_dir("exchange")
            files.create_dir("shop")
            for path in hidden.glob("interactions*.parquet"):
                send(files, path, Path("shop", "log", path.name))
            server = f"endpoint_override={host}&scheme=http"
            engine = self.on(nodes, "s3", f'exchange = "s3://exchange/nights?{server}"').engine
            night = Site(self.site, seen, engine, self.models, f"s3://shop/log?{server}")
            binds = [f"mount --bind {hidden} {self.site}", f"mount --bind {real.here} {seen}"]
            before = ("unshare", "--mount", "sh", "-c", " && ".join([*binds, 'exec "$@"']), "sh")
            (real.here / "nightrec.toml").write_text(f"[engine]\n{night.engine}\n", encoding="utf-8")
            assert night.start(before).wait() == 0, (seen / "log").read_text()
        assert not (seen / "store").exists()  # the disk of the night was its own
        self.site.rmdir()
        hidden.rename(self.site)
        same = self.compared(real, but=NAMING_FILES)
        print(f"s3: {real.record['seconds']:.1f} s; {same}", flush=True)


def _watched(night: Site) -> dict[str, float]:
    """Run a night: the stages that make parts, and for how many seconds each was at work."""
    lasted = defaultdict[str, float](float)
    running, looked = night.start(), time.monotonic()
    while running.poll() is None:
        time.sleep(0.1)
        stage, since, looked = night.at_work(), looked, time.monotonic()
        if stage:
            lasted[stage] += looked - since
    assert running.returncode == 0, (night.here / "log").read_text()
    return dict(lasted)


def _until_parts(night: Site, running: "subprocess.Popen[str]", wanted: Callable[[str], bool]) -> str | None:
    """The stage that has begun to leave parts, if it is wanted; None once the night has ended."""
    while running.poll() is None:
        for part in night.finished():
            stage = Path(part).parts[0]
            if wanted(stage):
                return stage
        time.sleep(0.05)
    return None


@contextmanager
def _watching(night: Site, before: dict[str, int], repeated: list[str]) -> Iterator[None]:
    """See whether parts that were there before are made again in the block."""
    over = Event()

    def look() -> None:
        while not over.wait(0.05):
            found = night.finished()
            repeated.extend(part for part, when in before.items() if found.get(part, when) != when)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            over.set()
        looking.result()


def main(arguments: list[str] | None = None) -> int:
    """Show what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.cluster_nights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shows = ("overhead", "kills", "driver", "head", "s3")
    parser.add_argument("sites", nargs="+", type=Path, metavar="SITE", help="a folder of a demo site")
    parser.add_argument("--show", nargs="+", choices=shows, default=shows)
    parser.add_argument("--models", default=MODELS, metavar="NAMES", help=f"[{MODELS}]")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="[20]")
    parser.add_argument("--folder", default=None, help="for its files")
    options = parser.parse_args(arguments)
    for site in options.sites:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="nights-") as name:
            read = Path(name) / "site"
            shutil.copytree(site, read)
            night = Site(read, Path(name) / "local", 'kind = "local"', options.models)
            lasted = _watched(night)
            seconds = night.record["seconds"]
            print(f"{site}: {seconds:.1f} s on this machine's engine", flush=True)
            show = Show(read, Path(name), options.models, data_of(night.here), seconds, lasted, random.Random(SEED))
            does: dict[str, Callable[[], None]] = {
                "overhead": show.overhead,
                "kills": lambda show=show: show.kills(options.kills),  # type: ignore[misc]
                "driver": show.driver,
                "head": show.head,
                "s3": show.s3,
            }
            for one in options.show:
                does[one]()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
