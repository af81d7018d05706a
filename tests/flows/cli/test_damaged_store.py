"""Commands that read a damaged store say one sentence, or do without what is damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flows.cli.app import nightrec
from recmodels.errors import NightrecError
from tasks.publish.retention import pin
from tasks.store.files import write_json
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

pytestmark = pytest.mark.slow

ID, DAY = f"{RUN_DATE}.2", str(RUN_DATE)
FILES = [
    "exports/latest.json",
    f"exports/manifests/{ID}.json",
    "pins.json",
    "published.jsonl",
    f"nights/{DAY}/night.json",
    f"exports/{ID}/topk/part-00000.parquet",
    f"nights/{DAY}/features/prepared/items.parquet",
]
COMMANDS = ["recs 1", "verify", "status", "rollback", f"diff {DAY}.1 {DAY}", f"pin {DAY}", f"unpin {DAY}"]


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty object": lambda path: path.write_text("{}"),
    "no text": lambda path: path.write_bytes(b'{"export_id": "\xff"}'),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "folder": as_folder,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    night = prepare_night(tmp_path_factory.mktemp("site") / "store")
    publish(night)
    publish(night, k=2)
    pin(night.store, DAY)
    write_json(night.summary, {"run_date": DAY, "status": "published", "export_id": DAY})
    return night.store.root


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_commands_say_a_sentence_about_what_is_damaged(tmp_path: Path, sound: Path, file: str, damage: str) -> None:
    store = shutil.copytree(sound, tmp_path / "store", symlinks=True)
    DAMAGES[damage](store / file)
    for command in COMMANDS:
        arguments = [*command.split(), "--store", str(store)]
        try:
            CliRunner().invoke(nightrec, arguments, catch_exceptions=False, standalone_mode=False)
        except (NightrecError, click.ClickException) as error:
            assert len(str(error)) <= 400 and "\n" not in str(error), command
