"""Where everything of a site lies: the paths of the store, and of each night in it."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from recmodels.errors import ConfigError
from tasks.store.files import TEMPORARY


@dataclass(frozen=True)
class Store:
    """One site's folder."""

    root: Path

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    def export(self, export_id: str) -> Path:
        return self.exports / export_id

    def export_manifest(self, export_id: str) -> Path:
        return self.exports / "manifests" / f"{export_id}.json"

    @property
    def pointer(self) -> Path:
        """`latest.json`: what downstream jobs read first."""
        return self.exports / "latest.json"

    @property
    def link(self) -> Path:
        """`latest`: the same for people and globs, on local disks only."""
        return self.exports / "latest"

    @property
    def pins(self) -> Path:
        """The exports that are kept, with when that was asked for."""
        return self.root / "pins.json"

    def input(self, table: str) -> Path:
        """A table that was given as a data frame."""
        return self.root / "inputs" / f"{table}.parquet"

    @property
    def demo(self) -> Path:
        return self.root / "demo"

    def history(self, run_date: date) -> Path:
        return self.root / "history" / f"{run_date}.parquet"

    def report(self, run_date: date) -> Path:
        """The page about a night; its figures are beside it as JSON."""
        return self.root / "reports" / f"{run_date}.html"

    def tuning(self, recommender: str) -> Path:
        """What searches of a model's hyper-parameters have tried, as lines of JSON."""
        return self.root / "tuning" / f"{recommender}.jsonl"

    def quality(self, run_date: date) -> Path:
        return self.root / "quality" / str(run_date)

    def night(self, run_date: date) -> "Night":
        return Night(self, run_date)

    def nights(self) -> list["Night"]:
        """The nights that have left a summary, oldest first."""
        found = sorted((self.root / "nights").glob("*/night.json"))
        return [Night(self, date.fromisoformat(path.parent.name)) for path in found]

    def last_nights(self, count: int = 1) -> list["Night"]:
        """The newest of them, oldest first.

        Raises:
            ConfigError: no night has run.
        """
        if not (nights := self.nights()):
            raise ConfigError(f"No night has run in the store {self.root} yet: `nightrec run` is the first.")
        return nights[-count:]

    def all_nights(self) -> list["Night"]:
        """The nights that have left anything, oldest first."""
        found = sorted((self.root / "nights").glob("????-??-??"))
        return [Night(self, date.fromisoformat(path.name)) for path in found]

    def sweep(self) -> None:
        """Remove exports that a killed night left half-written, or whole but without a manifest."""
        for leftover in self.exports.glob(f"{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in self.exports.glob("[0-9]*"):
            if folder.is_dir() and not self.export_manifest(folder.name).exists():
                shutil.rmtree(folder)

    @property
    def lease(self) -> Path:
        """Who holds the store, and that they are still at work."""
        return self.root / ".lease.json"


@dataclass(frozen=True)
class Night:
    """One night's folder in the store."""

    store: Store
    run_date: date

    @property
    def folder(self) -> Path:
        return self.store.root / "nights" / str(self.run_date)

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def valid(self) -> Path:
        return self.folder / "valid"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine"

    @property
    def features(self) -> Path:
        return self.folder / "features"

    @property
    def prepared(self) -> Path:
        return self.features / "prepared"

    @property
    def list_rules(self) -> Path:
        return self.features / "rules"

    def model(self, name: str) -> Path:
        return self.folder / "models" / name

    def toplists(self, name: str) -> Path:
        return self.folder / "toplists" / name

    def metrics(self, name: str) -> Path:
        return self.folder / "metrics" / name

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def champion(self) -> Path:
        return self.folder / "champion"

    @property
    def working_folders(self) -> list[Path]:
        """What a night that is run again makes anew, and nobody needs once it is old."""
        names = ("raw", "valid", "quarantine", "features", "models", "toplists", "metrics", "champion", "logs")
        return [self.folder / name for name in names]

    @property
    def summary(self) -> Path:
        return self.folder / "night.json"

    def sweep(self) -> None:
        """Remove what a killed run left half-written."""
        for leftover in self.folder.rglob(f"{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
