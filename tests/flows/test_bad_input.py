"""Whatever is wrong with what a night is given: one sentence that says what, where and what to do, the exit code of the
design, no traceback, and the last export as it was.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.flows.plain import without_prefect
from tests.flows.running import Ran, everything, nightrec
from tests.flows.sites import DAY, log, write

NEXT = DAY + timedelta(days=1)
CHEAP = ("--models", "popularity")


@dataclass(frozen=True)
class Site:
    """A folder with a store in which one night is published."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def next_night(self, *arguments: str | Path) -> Ran:
        """Try the night after it, which is to leave the exports alone."""
        before = everything(self.store / "exports")
        ran = nightrec("run", "--date", NEXT.isoformat(), *arguments, cwd=self.folder)
        assert everything(self.store / "exports") == before
        assert "latest.json" in before
        return ran


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Site:
    folder = tmp_path_factory.mktemp("site")
    good = write(folder / "good.csv", log())
    ran = nightrec("run", "--interactions", good, "--date", DAY.isoformat(), *CHEAP, cwd=folder)
    assert ran.code == 0, ran.err
    return Site(folder)


def assert_refused(ran: Ran, code: int, parts: tuple[str, ...]) -> None:
    """The command ended with this code and one line, in which these parts follow one another."""
    assert ran.code == code, ran
    assert ran.result == ""
    assert ran.err.startswith("nightrec: ") and ran.err.count("\n") == 1, ran.err
    assert "Traceback" not in ran.err
    rest = ran.err
    for part in parts:
        assert part in rest, f"{part!r} is not (or not in this place) in: {ran.err}"
        rest = rest.partition(part)[2]


LOG = log()
HEADER = LOG.splitlines()[0] + "\n"
ROWS = LOG.splitlines()[1:]


def rows(*lines: str) -> str:
    return HEADER + "".join(f"{line}\n" for line in lines)


CONTENTS: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    "empty file": ("log.csv", "", ("interactions: ", "log.csv is empty; give a file with rows.")),
    "empty gzip": ("log.csv.gz", gzip.compress(b""), ("interactions: ", "log.csv.gz is empty; give a file with rows.")),
    "blank lines only": ("log.csv", "\n\n\n", ("interactions: ", "log.csv is empty; give a file with rows.")),
    "header only": ("log.csv", HEADER, ("interactions: ", "log.csv has a header but no rows; give a file with rows.")),
    "missing column": (
        "log.csv",
        LOG.replace("timestamp", "seen_at"),
        ("log.csv has no column 'timestamp'", "its columns are user_id, item_id, seen_at", "--columns timestamp=…"),
    ),
    "column in other letters": (
        "log.csv",
        LOG.replace("user_id", "User_ID"),
        ("log.csv has no column 'user_id'", "its columns are User_ID, item_id, timestamp", "did you mean 'User_ID'?"),
    ),
    "unparsable timestamps": (
        "log.csv",
        LOG.replace("2024-", "year 2024-"),
        (
            "320 of 320 rows (100.0%) of the table interactions are refused and in quarantine",
            "timestamp is missing or could not be read (ExpectColumnValuesToNotBeNull on timestamp; for ",
            "year 2024-",
            "log.csv:2)",
            "fix the input, or raise validation.max_quarantined_share",
        ),
    ),
    "mixed units": (
        "log.csv",
        rows(*(f"u{n},{n % 5},{1_709_000_000 * (1000 if n == 7 else 1) + n}" for n in range(30))),
        (
            "column 'timestamp', line 9: the timestamps mix units",
            "1709000000007",
            "milliseconds",
            "timestamp_unit",
        ),
    ),
    "all after the cutoff": (
        "log.csv",
        LOG.replace("2024-0", "2025-0").replace("02-29", "02-28"),
        (
            "all 320 rows of",
            "log.csv are at or after the cutoff 2024-03-02 00:00:00 UTC (oldest 2025-01-2",
            "choose a later night, for example --date 2025-03-0",
        ),
    ),
    "stale": (
        "log.csv",
        LOG.replace("2024-0", "2023-0").replace("02-29", "02-28"),
        (
            "newest interaction is of 2023-02-28, 367 days before the cutoff 2024-03-02, where at most 7 are allowed",
            "on timestamp: newest_age_days is 36",
            "pass --date 2023-03-01, or raise validation.max_staleness_days.",
        ),
    ),
    "one user": (
        "log.csv",
        rows(*(row for row in ROWS if row.startswith("u01,"))),
        ("have 1 different user_id where at least 2 are needed", "on user_id: users is 1", "mapping of user_id"),
    ),
    "one item": (
        "log.csv",
        rows(*(f"u{n},7,2024-03-01T01:00:0{n}Z" for n in range(8))),
        ("have 1 different item_id where at least 2 are needed", "on item_id: items is 1", "mapping of item_id"),
    ),
    "volume far from last night's": (
        "log.csv",
        rows(*(f"{row[:-1]}.{n}Z" for n in range(4) for row in ROWS)),
        ("There are 1,280 interactions where recent nights had 320 (median)", "raise validation.volume_tolerance"),
    ),
    "ragged rows": (
        "log.csv",
        LOG.replace("u03,", "u03,more,").replace("u04,", "").replace("u05,", "u05,more,"),
        (
            "24 of 320 rows (7.5%) of the table interactions are refused",
            "24 because the line is no row (ragged: more than 3 columns; for example 'u03,more,109,",
            "log.csv:26)",
        ),
    ),
    "unclosed quote": (
        "log.csv",
        LOG.replace("u03,", '"u03,', 1),
        ("because the line is no row (a stray or unclosed quote; for example '\"u03,109,", "log.csv:26)"),
    ),
    "invalid UTF-8": (
        "log.csv",
        LOG.encode().replace(b"u03,", b"u\xff3,").replace(b"u04,", b"u\xff4,").replace(b"u05,", b"u\xff5,"),
        ("24 of 320 rows (7.5%)", "24 because the line is no row (not valid UTF-8; for example", "log.csv:26)"),
    ),
    "corrupt Parquet": (
        "log.parquet",
        b"PAR1" + bytes(range(200)) + b"PAR1",
        ("log.parquet cannot be read (", "it may be damaged or cut short: write it again."),
    ),
    "Parquet cut short": ("log.parquet", b"PAR1" + bytes(200), ("log.parquet cannot be read (", "write it again.")),
    "gzip cut short": (
        "log.csv.gz",
        gzip.compress(LOG.encode() * 20, mtime=0)[:-200],
        ("log.csv.gz", "write it again."),
    ),
    "text as Parquet": ("log.parquet", LOG, ("log.parquet is named as a Parquet file and is none", "write it again")),
}


@pytest.mark.parametrize(("name", "content", "says"), CONTENTS.values(), ids=CONTENTS)
def test_bad_contents_are_refused(
    site: Site, tmp_path: Path, name: str, content: str | bytes, says: tuple[str, ...]
) -> None:
    with without_prefect():  # which has its part in the refusals of the other tests
        ran = site.next_night("--interactions", write(tmp_path / name, content), *CHEAP)
    assert_refused(ran, 3, says)


def test_a_mapped_column_that_is_not_there_is_refused(site: Site) -> None:
    ran = site.next_night("--interactions", site.folder / "good.csv", "--columns", "user_id=customer")
    says = ("good.csv has no column 'customer' (for user_id)", "its columns are user_id, item_id, timestamp")
    assert_refused(ran, 3, says)


def test_users_that_did_one_thing_each_are_nothing_to_learn_from(site: Site, tmp_path: Path) -> None:
    lonely = write(tmp_path / "log.csv", rows(*(f"u{n:03},{n % 9},2024-02-2{n % 9}T00:00:00Z" for n in range(300))))
    assert_refused(
        site.next_night("--interactions", lonely, *CHEAP),
        3,
        ("users remain to train on", "prepare.min_user_interactions"),
    )


def test_a_holdout_that_would_be_empty_is_refused(site: Site, tmp_path: Path) -> None:
    config = write(site.folder / "week.toml", '[prepare]\nholdout = "days"\nholdout_days = 1\n')
    same = write(tmp_path / "same.csv", "".join(line.replace("2024-03-01", "2024-02-29") for line in LOG))
    assert_refused(
        site.next_night("--config", config, "--interactions", same, *CHEAP),
        3,
        ("The holdout would be empty: in the last 1 days before the cutoff", "Raise prepare.holdout_days"),
    )


Arguments = Callable[[Path], tuple[str | Path, ...]]
ARGUMENTS: dict[str, tuple[Arguments, tuple[str, ...]]] = {
    "missing file": (
        lambda here: ("--interactions", here / "no.csv"),
        ("interactions: there is no file or folder '", "no.csv'; check the path."),
    ),
    "missing items": (
        lambda here: ("--interactions", "good.csv", "--items", here / "no.csv"),
        ("items: there is no file or folder '", "no.csv'; check the path."),
    ),
    "empty folder": (
        lambda here: ("--interactions", here),
        ("interactions: the folder '", "has no data files (there is nothing)", "name the file itself."),
    ),
    "folder with no data files": (
        lambda here: ("--interactions", write(here / "README.txt", "none here").parent),
        (
            "interactions: the folder '",
            "has no data files (there is README.txt: a document by its name)",
            "name the file itself.",
        ),
    ),
    "glob without a match": (
        lambda here: ("--interactions", here / "*.csv"),
        ("interactions: no file matches '", "*.csv'; check the pattern."),
    ),
    "object store": (
        lambda here: ("--interactions", "https://host/log.parquet"),
        ("'https://host/log.parquet' is not on this machine; copy it here",),
    ),
    "store below a file": (
        lambda here: ("--interactions", "good.csv", "--store", write(here / "file", "") / "store"),
        ("The store ", "file/store cannot be written (Not a directory)", "choose another folder with --store."),
    ),
    "store is a file": (
        lambda here: ("--interactions", "good.csv", "--store", write(here / "file", "")),
        ("The store ", "file cannot be written", "choose another folder with --store."),
    ),
    "bad date": (
        lambda here: ("--interactions", "good.csv", "--date", "2024-02-30"),
        ("'2024-02-30' is no date: write it as YYYY-MM-DD, for instance 2026-02-28.",),
    ),
    "unknown model": (
        lambda here: ("--interactions", "good.csv", "--models", "popularity,item_nn"),
        ("'item_nn'", "did you mean 'item_knn'?"),
    ),
    "unknown model, nothing near": (
        lambda here: ("--interactions", "good.csv", "--models", "zzzz"),
        (
            "'zzzz'",
            "there are: popularity, item_knn, user_knn, transitions, personal_frequency, tifu_knn, bpr, mf, als, ease, "
            "graph_filter, transformer, hybrid, embedding, ncf, content, apart",
        ),
    ),
    "unknown preset": (
        lambda here: ("--interactions", "good.csv", "--preset", "movielen"),
        ("There is no preset 'movielen'; did you mean 'movielens'?",),
    ),
    "no column mapping": (
        lambda here: ("--interactions", "good.csv", "--columns", "user_id"),
        ("'user_id' is no column mapping: write ours=theirs",),
    ),
    "unknown column to map": (
        lambda here: ("--interactions", "good.csv", "--columns", "users=user_id"),
        ("there is no column 'users' to map; the columns are user_id, item_id, timestamp, rating, event.",),
    ),
    "items without interactions": (
        lambda here: ("--items", "good.csv"),
        ("There are no interactions to go with the tables: name them with --interactions.",),
    ),
    "missing configuration": (
        lambda here: ("--config", here / "no.toml"),
        ("There is no configuration file ", "no.toml: write one with `nightrec init`."),
    ),
}


@pytest.mark.parametrize(("arguments", "says"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_bad_arguments_are_refused(site: Site, tmp_path: Path, arguments: Arguments, says: tuple[str, ...]) -> None:
    assert_refused(site.next_night(*arguments(tmp_path)), 2, says)


SETTINGS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "unknown key": ('stor = "x"', ("unknown key stor; did you mean store?",)),
    "unknown key in a section": ("[prepare]\nholdout_dys = 3", ("prepare.holdout_dys; did you mean holdout_days?",)),
    "unknown section": ("[valdation]\nmin_users = 3", ("unknown key valdation; did you mean validation?",)),
    "unknown key, nothing near": ("[training]\nzzz = 3", ("unknown key training.zzz; known here: parallel, seed",)),
    "unknown key, nothing near, many known": (
        '[export]\n"0000" = 3',
        ("unknown key export.0000; known here: k, repeats, relevance_weight, ", " and ", " more."),
    ),
    "unknown key of a model": (
        "[models.ease]\ntimeout = 3",
        ("unknown key models.ease.timeout; did you mean timeout_minutes?",),
    ),
    "unknown key of an input": (
        '[inputs.interactions]\npth = "good.csv"',
        ("unknown key inputs.interactions.pth; did you mean path?",),
    ),
    "a key that is missing": ('[inputs]\nitems = { path = "x" }', ("inputs.interactions is missing",)),
    "bad TOML": ("store = ", ("cannot be read as TOML: Invalid value (at",)),
    "not UTF-8": (b"\xff", ("cannot be read as TOML: 'utf-8' codec can't decode",)),
    "bad number": ("[prepare]\nholdout_days = 0", ("prepare.holdout_days = 0: input should be greater than or equal",)),
    "bad choice": (
        '[prepare]\nholdout = "week"',
        ("prepare.holdout = 'week': input should be 'auto', 'days', 'last', 'random' or 'user-fold'.",),
    ),
    "bad type": ("[export]\nk = 'ten'", ("export.k = 'ten': input should be a valid integer",)),
    "bad time zone": ('timezone = "Mars/Base"', ("there is no time zone 'Mars/Base'; use a name such as",)),
    "bad encoding": (
        '[inputs.interactions]\npath = "good.csv"\nencoding = "utf9"',
        ("inputs.interactions.encoding = 'utf9': unknown encoding 'utf9'",),
    ),
    "bad model name": ("[models.EASE]", ("'EASE' is no model name: use lower-case letters, digits and _.",)),
    "unknown recommender": ('[models.mine]\nrecommender = "easy"', ("'easy'", "did you mean 'ease'?")),
    "unknown parameter": (
        "[models.ease.parameters]\nregularisation = 3",
        ("Unknown parameter of ease: 'regularisation'; did you mean 'regularization'?",),
    ),
}


def test_a_key_that_is_not_there_is_missed_before_anything_is_read(site: Site, tmp_path: Path) -> None:
    config = write(tmp_path / "site.toml", '[export]\nhash_key_env = "NO_SUCH_KEY"\n')
    with without_prefect():
        ran = site.next_night("--config", config, "--interactions", site.folder / "good.csv")
    assert_refused(ran, 2, ("NO_SUCH_KEY is not set",))
    assert "ingest" not in ran.out + ran.err


@pytest.mark.parametrize(("content", "says"), SETTINGS.values(), ids=SETTINGS)
def test_bad_settings_are_refused(site: Site, tmp_path: Path, content: str | bytes, says: tuple[str, ...]) -> None:
    config = write(tmp_path / "site.toml", content)
    ran = site.next_night("--config", config)
    assert_refused(ran, 2, says)
    if "parameter" not in ran.err and "recommender" not in ran.err:
        assert str(config) in ran.err


@pytest.mark.parametrize("command", ["recs", "status", "verify"])
def test_commands_that_read_say_that_nothing_is_there(tmp_path: Path, command: str) -> None:
    arguments = [command, *(["u01"] if command == "recs" else []), "--store", str(tmp_path / "store")]
    ran = nightrec(*arguments, cwd=tmp_path)
    assert_refused(ran, 2, (str(tmp_path / "store"), "run"))
    assert not (tmp_path / "store").exists()


def test_an_unknown_user_is_told_of_the_popular_items(site: Site) -> None:
    assert_refused(
        nightrec("recs", "nobody", cwd=site.folder), 2, ("User nobody is not in the export 2024-03-01", "popular/")
    )


@pytest.mark.parametrize("arguments", [["run", "--frsh"], ["rum"], ["run", "--k", "0"], ["recs"]])
def test_usage_errors_exit_with_2(tmp_path: Path, arguments: list[str]) -> None:
    ran = nightrec(*arguments, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("nightrec: ") and ran.err.endswith("--help.\n") and ran.err.count("\n") == 1
