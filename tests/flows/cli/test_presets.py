"""The command about public data sets: listing them, explaining one, and preparing files that no setting describes."""

import json
import shlex
from pathlib import Path

import pytest

from flows.cli.presets import commands
from tasks.ingest.reading.presets.catalog import PRESETS
from tests.flows.running import nightrec


def test_the_list_has_every_data_set_with_its_files_and_where_to_get_them(tmp_path: Path) -> None:
    ran = nightrec("presets", cwd=tmp_path)
    assert ran.code == 0, ran.err
    blocks = {block.split(":")[0]: " ".join(block.split()) for block in ran.out.split("\n\n")[:-1]}
    assert list(blocks) == list(PRESETS)
    for name, preset in PRESETS.items():
        files = [one for layout in preset.layouts for file in layout.files for one in file.names]
        assert [text for text in (preset.title, preset.home, preset.terms, *files) if text not in blocks[name]] == []
    assert "items articles.csv: item_id = article_id, title = prod_name" in blocks["hm"]


def test_one_is_explained_with_the_command_to_copy(tmp_path: Path) -> None:
    ran = nightrec("presets", "retailrocket", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "nightrec presets retailrocket --prepare retailrocket\n" in ran.out
    assert "nightrec run --preset retailrocket --interactions retailrocket --date 2015-09-18\n" in ran.out
    assert "[prepare]\nevent_weights = { view = 1, addtocart = 3, transaction = 5 }\n" in ran.out
    assert "A night cannot be run on this data set." in nightrec("presets", "instacart", cwd=tmp_path).out


def test_one_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    ran = nightrec("presets", "retailrock", cwd=tmp_path)
    assert (ran.code, ran.err) == (
        2,
        "nightrec: There is no preset 'retailrock'; did you mean 'retailrocket'? `nightrec presets` lists them.\n",
    )


def test_scripts_get_json(tmp_path: Path) -> None:
    found = json.loads(nightrec("presets", "--json", cwd=tmp_path).out)
    assert [one["name"] for one in found] == list(PRESETS)
    steam = json.loads(nightrec("presets", "steam", "--json", cwd=tmp_path).out)
    assert steam["files"][0]["names"] == ["steam_reviews.json"] and "--prepare" in steam["files"][0]["refused"]
    assert steam["prepares"] == {"interactions": ["steam_reviews.json"], "items": ["steam_games.json"]}


def test_files_are_prepared_beside_the_downloaded_ones(tmp_path: Path) -> None:
    folder = tmp_path / "MIND small"
    folder.mkdir()
    (folder / "behaviors.tsv").write_text("1\tU1\t11/11/2019 9:05:58 AM\t\tN1-1 N2-0 N3-1\n")
    ran = nightrec("presets", "mind", "--prepare", str(folder), cwd=tmp_path)
    assert ran.code == 0, ran.err
    made, now = ran.out.splitlines()
    assert made.split(maxsplit=2) == ["2", "interactions", str(folder / "nightrec-interactions.parquet")]
    assert now == f"Now: nightrec run --preset mind --interactions '{folder}' --date 2019-11-15"
    ran = nightrec("presets", "--prepare", str(folder), cwd=tmp_path)
    assert (ran.code, ran.err) == (
        2, "nightrec: Name the data set to prepare: nightrec presets NAME --prepare FOLDER.\n"
    )  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_the_commands_name_the_preset_and_a_date(name: str) -> None:
    for line in commands(PRESETS[name]):
        words = shlex.split(line)
        assert words[:3] in (["nightrec", "presets", name], ["nightrec", "run", "--preset"])
        assert "--prepare" in words or (words[3] == name and "--date" in words)
