"""A sink of one's own, from a folder outside the packages: its settings are checked, it is loaded, its secrets kept."""

import json
import textwrap
from pathlib import Path

import pytest

from flows.settings.site import load as load_settings
from recmodels.engine.current import using
from recmodels.errors import ConfigError
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import SinkSettings, failures
from tasks.store.paths import Night
from tests.tasks.loading import FIRST, TABLES, Twice, published, succeeds
from tests.tasks.publishing import publish

SHOP = """
    import json
    from pathlib import Path

    from pydantic import Field

    from recmodels.errors import NightrecError
    from tasks.publish.sinks.file_sink import FileSink
    from tasks.publish.sinks.settings import address
    from tasks.publish.sinks.sink import Sink
    from tasks.publish.sinks.source import Tally


    class Folder(Sink):
        folder_env: str
        indent: int = Field(default=0, ge=0)

        def load(self, published):
            target, proofs = Path(address(self.folder_env)), {}
            if not target.is_dir():
                raise NightrecError("The folder is gone.")
            for table in published.tables:
                sent = Tally()
                rows = [row for part in published.rows(table) for row in sent.add(part).to_pylist()]
                (target / f"{table}.json").write_text(json.dumps(rows, default=str, indent=self.indent))
                proofs[table] = sent.proof()
            return proofs


    class Broken(Folder):
        def load(self, published):
            raise RuntimeError("password=hunter2")


    class Secretive(FileSink):
        folder_env: str

        def load_file(self, file, begun):
            raise RuntimeError("password=hunter2")


    class NoSink:
        pass
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `own_shop` in a folder of its own, and a folder that its sink writes to."""
    package, target = tmp_path / "elsewhere" / "own_shop", tmp_path / "target"
    package.mkdir(parents=True)
    target.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sinks.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SHOP_FOLDER", str(target))
    return target


def settings(**table: object) -> SinkSettings:
    return SinkSettings.model_validate(
        {"files": {"sink": "own_shop.sinks:Folder", "folder_env": "SHOP_FOLDER"} | table}
    )


def test_an_own_sink_is_loaded_with_the_current_export_once(night: Night, shop: Path) -> None:
    outcome = succeeds(night.store, settings())
    assert outcome["files"]["export_id"] == str(FIRST)
    for table in TABLES:
        rows = json.loads((shop / f"{table}.json").read_text())
        assert rows == json.loads(json.dumps(published(night.store, table), default=str))
        assert outcome["files"]["tables"][table]["rows"] == len(rows)
    (shop / "topk.json").write_text("as it was")
    succeeds(night.store, settings())
    assert (shop / "topk.json").read_text() == "as it was"  # nothing new: it is not loaded again
    succeeds(night.store, settings(indent=2))
    publish(night)
    succeeds(night.store, settings())
    assert json.loads((shop / "topk.json").read_text())[0]["run_date"] == str(night.run_date)


def test_an_own_sink_that_fails_says_why_and_tells_no_secret(night: Night, shop: Path) -> None:
    shop.rmdir()
    (why,) = failures({"sinks": load(night.store, settings(), task=False)})
    assert why == "The sink files was not loaded: The folder is gone. `nightrec sink` loads it again."
    broken = settings(sink="own_shop.sinks:Broken")
    (why,) = failures({"sinks": load(night.store, broken, task=False)})
    assert why == "The sink files was not loaded: RuntimeError. `nightrec sink` loads it again."


@pytest.mark.slow
def test_the_file_sink_of_the_how_to_is_loaded_by_nodes_that_may_load_a_file_twice(
    night: Night, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[4] / "docs" / "examples"))
    with using(Twice()):
        outcome = succeeds(night.store, settings(sink="shop.file_sinks:JsonFiles"))
    version = (shop / "latest").read_text()
    for table in TABLES:
        lines = [line for path in sorted((shop / version).glob(f"{table}-*")) for line in path.read_text().splitlines()]
        assert [json.loads(line) for line in lines] == json.loads(
            json.dumps(published(night.store, table), default=str)
        )
        assert outcome["files"]["tables"][table]["rows"] == len(lines)
    publish(night)
    (why,) = failures({"sinks": load(night.store, settings(sink="own_shop.sinks:Secretive"), task=False)})
    assert why == "The sink files was not loaded: RuntimeError. `nightrec sink` loads it again."
    assert (shop / "latest").read_text() == version


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('sink = "own_shop.sinks:Folder"', "files.folder_env: Field required"),
        ('sink = "own_shop.sinks:Folder"\nfolder_env = "A"\nindent = -1', "files.indent: Input should be greater than"),
        ('sink = "own_shop.sinks:Folder"\nfolder_env = "A"\nmore = 1', "files.more: Extra inputs are not permitted"),
        (
            'sink = "own_shop.sinks:Folder"\nfolder_env = "amqp://me:hunter2@h/x"',
            "files.folder_env holds a password",
        ),
        (
            'sink = "own_shop.sinks:Folder"\nfolder_env = "to https://h/x?api_key=hunter2"',
            "files.folder_env holds a password",
        ),
        ('sink = "own_shop.sinks:NoSink"', "own_shop.sinks:NoSink is no sink"),
        ('sink = "own_shop.nowhere:Folder"', "cannot be loaded from own_shop.nowhere:Folder"),
        ("folder_env = 'A'", "there is no sink 'files', but delta, pgvector, postgres, qdrant, redis"),
    ],
)
def test_wrong_settings_of_an_own_sink_are_said_before_a_night(
    tmp_path: Path, shop: Path, table: str, why: str
) -> None:
    (tmp_path / "nightrec.toml").write_text(f"[sinks.files]\n{table}\n")
    with pytest.raises(ConfigError) as error:
        load_settings(tmp_path / "nightrec.toml")
    assert why in str(error.value) and "hunter2" not in str(error.value) and "\n" not in str(error.value)


def test_an_entry_point_gives_an_own_sink_its_name(tmp_path: Path, shop: Path, night: Night) -> None:
    info = tmp_path / "elsewhere" / "own_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nightrec.sinks]\nfiles = own_shop.sinks:Folder\n")
    found = SinkSettings.model_validate({"files": {"folder_env": "SHOP_FOLDER"}})
    assert list(found.configured()) == ["files"]
    assert SinkSettings.model_validate(found.model_dump()).configured() == found.configured()
    succeeds(night.store, found)
    assert (shop / "topk.json").exists()


def test_the_sink_of_the_how_to_writes_what_is_published(
    night: Night, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[4] / "docs" / "examples"))
    table = {"sink": "shop.sinks:JsonLines", "folder_env": "SHOP_FOLDER", "tables": ["topk", "popular"]}
    outcome = succeeds(night.store, SinkSettings.model_validate({"files": table}))
    assert set(outcome["files"]["tables"]) == {"topk", "popular"}
    rows = [json.loads(line) for line in (shop / "topk.jsonl").read_text().splitlines()]
    assert rows == json.loads(json.dumps(published(night.store, "topk"), default=str))
    assert sorted(path.name for path in shop.iterdir()) == ["popular.jsonl", "topk.jsonl"]
