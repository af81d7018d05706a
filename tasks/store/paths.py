"""Where everything of a site lies: the paths of the store, and of each night in it."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from recmodels.errors import ConfigError
from tasks.store.ids import age_order, is_export_id, night_of

LONG_TERM = "-long-term"
"""What the name of the page about the long run has after the night's."""
SIMULATION = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""The name of a simulation: it names a folder, and is part of addresses."""


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
    def lock(self) -> Path:
        """Who holds its lock runs a night; the file stays."""
        return self.root / ".lock"

    @property
    def pins(self) -> Path:
        """The exports that are kept, with when that was asked for."""
        return self.root / "pins.json"

    def input(self, table: str) -> Path:
        """A table that was given as a data frame."""
        return self.root / "inputs" / f"{table}.parquet"

    @property
    def landed(self) -> Path:
        """What was read from databases, by table; what a night reads of it stays for the next."""
        return self.root / "landed"

    @property
    def encoded(self) -> Path:
        """Vectors of the items' texts, by encoder: each text is encoded once."""
        return self.root / "encoded"

    @property
    def demo(self) -> Path:
        return self.root / "demo"

    def history(self, run_date: date) -> Path:
        return self.root.joinpath("history", f"{run_date}.parquet")

    def feedback(self, run_date: date) -> Path:
        """What is learned from a night's lists, which takes longer than its working files are kept."""
        return self.root / "feedback" / str(run_date)

    def panel(self, run_date: date) -> Path:
        """What a night has measured of the long run."""
        return self.root.joinpath("panel", str(run_date))

    def panels(self) -> dict[date, Path]:
        """The folders of nights that have, oldest first."""
        found = {night_of(entry.name): Path(entry.path) for entry in entries(self.root / "panel") if entry.is_dir()}
        return {day: found[day] for day in sorted(filter(None, found))}

    def report(self, run_date: date) -> Path:
        """The page about a night; its figures are beside it as JSON."""
        return self.root / "reports" / f"{run_date}.html"

    def long_term(self, run_date: date) -> Path:
        """The page about the long run as a night leaves it; its figures are in those of the report."""
        return self.root / "reports" / f"{run_date}{LONG_TERM}.html"

    def tuning(self, recommender: str) -> Path:
        """What searches of a model's hyper-parameters have tried, as lines of JSON."""
        return self.root / "tuning" / f"{recommender}.jsonl"

    def replay(self, name: str) -> "Store":
        """A replay's own folder, in which its nights lie as they do in a store, and nothing is published."""
        return Store(self.root / "replays" / name)

    def replays(self) -> dict[str, "Store"]:
        """The replays that there are, by name."""
        return {one.name: Store(Path(one.path)) for one in entries(self.root / "replays") if one.is_dir()}

    def quality(self, run_date: date) -> Path:
        return self.root / "quality" / str(run_date)

    @property
    def simulations(self) -> Path:
        """A folder for each, by name; see `tasks.store.simulations`."""
        return self.root / "simulations"

    def night(self, run_date: date) -> "Night":
        return Night(self, run_date)

    def nights(self, since: date = date.min) -> list["Night"]:
        """The nights since a day that have left a summary, oldest first."""
        return [night for night in self.all_nights() if night.run_date >= since and night.summary.exists()]

    def last_nights(self, count: int = 1) -> list["Night"]:
        """The newest of them, oldest first.

        Raises:
            ConfigError: no night has run.
        """
        if not (nights := self.nights()):
            raise ConfigError(f"No night has run in the store {self.root} yet: `nightrec run` is the first.")
        return nights[-count:]

    def all_nights(self) -> list["Night"]:
        """The nights that have left anything, oldest first; other folders beside theirs are somebody else's."""
        found = [night_of(entry.name) for entry in entries(self.root / "nights") if entry.is_dir()]
        return [Night(self, run_date) for run_date in sorted(filter(None, found))]

    def histories(self) -> dict[date, Path]:
        """The figures of nights that were kept, oldest first."""
        found = {night_of(path.stem): path for path in (self.root / "history").glob("*.parquet")}
        return {day: found[day] for day in sorted(filter(None, found))}

    def feedbacks(self) -> dict[date, Path]:
        """The folders of nights with what is learned from their lists, oldest first."""
        found = {night_of(entry.name): Path(entry.path) for entry in entries(self.root / "feedback") if entry.is_dir()}
        return {day: found[day] for day in sorted(filter(None, found))}

    def export_ids(self) -> list[str]:
        """The ids of the exports that have a manifest, oldest night first, whether or not their files are there."""
        found = [path.stem for path in (self.exports / "manifests").glob("*.json")]
        return sorted(filter(is_export_id, found), key=age_order)

    def export_folders(self) -> list[Path]:
        """The folders of exports, oldest night first, whether or not they have a manifest."""
        found = [path for path in self.exports.glob("*") if is_export_id(path.name) and path.is_dir()]
        return sorted(found, key=lambda path: age_order(path.name))

    @property
    def lease(self) -> Path:
        """Who holds the store, and that they are still at work."""
        return self.root / ".lease.json"


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, with what listing it tells; nothing where there is no such folder.

    A store has thousands of files of past nights: whoever asks for the path of each takes longer every night.
    """
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


@dataclass(frozen=True)
class Night:
    """One night's folder in the store."""

    store: Store
    run_date: date

    @property
    def folder(self) -> Path:
        return self.store.root.joinpath("nights", str(self.run_date))

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def valid(self) -> Path:
        return self.folder / "valid"

    @property
    def known(self) -> Path:
        """What later nights need not read and check again."""
        return self.folder / "known"

    @property
    def known_files(self) -> Path:
        return self.known / "files.json"

    @property
    def known_rows(self) -> Path:
        return self.known / "rows"

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
    def exposures(self) -> Path:
        """What was shown, joined to what was published; there is none where a site neither logs nor assumes it."""
        return self.features / "exposures"

    @property
    def arms(self) -> Path:
        """What the arms did since they began; there is none where a site has no arms."""
        return self.folder / "arms"

    @property
    def longterm(self) -> Path:
        """What the arms will have done; there is none where a site has no arms."""
        return self.folder / "longterm"

    @property
    def offpolicy(self) -> Path:
        """What tonight's candidates would have earned; there is none where nothing was drawn."""
        return self.folder / "offpolicy"

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

    def arm_model(self, name: str) -> Path:
        """A model that the lists of an arm are made by, fitted as the champion is."""
        return self.folder / "arm_models" / name

    def replicate(self, number: int) -> Path:
        """The champion's recipe, fitted on half of the users."""
        return self.folder / "replicates" / str(number)

    @property
    def refilter(self) -> Path:
        """Which items the night's exports were published without, those that `nightrec refilter` has made."""
        return self.folder / "refilter"

    @property
    def all_parts(self) -> Path:
        """Parts of work in progress, a folder for each stage."""
        return self.folder / "parts"

    def parts(self, work: str) -> Path:
        """Those of a stage, which a night that was cut short goes on from; they go once it is done.

        Args:
            work: the stage's, by a name that no other has: `prepare`, `train-als`.
        """
        return self.all_parts / work

    @property
    def working_folders(self) -> list[Path]:
        """What a night that is run again makes anew, and nobody needs once it is old."""
        names = (
            "raw",
            "valid",
            "quarantine",
            "known",
            "features",
            "models",
            "toplists",
            "metrics",
            "arms",
            "longterm",
            "offpolicy",
            "champion",
            "arm_models",
            "replicates",
            "logs",
            "refilter",
            "parts",
        )
        return [self.folder / name for name in names]

    @property
    def summary(self) -> Path:
        return self.store.root.joinpath("nights", str(self.run_date), "night.json")
