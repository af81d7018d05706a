"""The site that the pages show: its store, its settings, and what was read of its nights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.settings.site import FILE, NightConfig, load
from flows.ui.disk import disk_of
from flows.ui.kept import Kept
from flows.ui.nights_read import NightsRead
from recmodels.errors import ConfigError
from tasks.store.paths import Store


@dataclass(frozen=True)
class Complaint:
    """Something that `nightrec doctor` has found: about what, what, where, and what to do."""

    subject: str
    what: str
    where: str
    todo: str
    wrong: bool
    fixable: bool


@dataclass(frozen=True)
class Examination:
    """What `nightrec doctor` says: what it looked at and found well, and what it has to say about the rest."""

    well: Sequence[str] = ()
    complaints: Sequence[Complaint] = ()

    @property
    def wrong(self) -> int:
        """How many things need somebody."""
        return sum(one.wrong for one in self.complaints)


class Site:
    """What the pages show.

    Args:
        store: the site's folder, which may be empty or not there.
        file: its settings; None for those in `nightrec.toml`, if there is one, or the defaults.
        examine: looks at everything that `nightrec doctor` looks at.
    """

    def __init__(self, store: Store, file: Path | None = None, examine: Callable[[], Examination] = Examination):
        self.store = store
        self.file = file if file is not None else Path(FILE) if Path(FILE).exists() else None
        self.nights = NightsRead(store)
        self.examination = Kept(examine)
        self.disk = Kept(lambda: disk_of(self.nights))
        self._settings = _Settings()

    @property
    def settings(self) -> NightConfig:
        """The settings as they are in the file now; the defaults where it cannot be read, see `problem`."""
        self._settings.refresh(self.file)
        return self._settings.config

    @property
    def problem(self) -> str | None:
        """Why the settings cannot be read."""
        self._settings.refresh(self.file)
        return self._settings.problem

    @property
    def name(self) -> str:
        """The site's name."""
        return self.settings.site


@dataclass
class _Settings:
    """Settings that are read again when their file has changed."""

    config: NightConfig = field(default_factory=NightConfig)
    problem: str | None = None
    read_at: object = ()

    def refresh(self, file: Path | None) -> None:
        if file is None:
            return
        try:
            now: object = (file.stat().st_mtime_ns, file.stat().st_size)
        except OSError:
            now = None
        if now == self.read_at:
            return
        try:
            self.config, self.problem = load(file), None
        except ConfigError as error:
            self.config, self.problem = NightConfig(), str(error)
        self.read_at = now
