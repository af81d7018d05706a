"""The files of public data sets: which are taken, which cannot be used, and what is said of them."""

from __future__ import annotations

import bz2
import os
from pathlib import Path

import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading import our_columns
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.presets.apply import apply
from tasks.ingest.reading.presets.catalog import PRESETS, preset_of
from tasks.ingest.reading.presets.prepare import prepare
from tests.tasks.ingest.reading.known import ML_100K, ML_CSV, at, lay, rows

pytestmark = pytest.mark.slow


UNUSABLE = {
    "bookcrossing": ("BX-Book-Ratings.csv", '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n', "no times"),
    "lastfm": ("usersha1-artmbid-artname-plays.tsv", "00000c28\t3bd73256\tbetty blowtorch\t2137\n", "no times"),
    "steam": ("steam-200k.csv", '151603712,"The Elder Scrolls V Skyrim",purchase,1.0,0\n', "no times"),
    "instacart": (
        "orders.csv",
        "order_id,user_id,eval_set,order_number\n2539329,1,prior,1\n",
        "days between a user's orders and no dates",
    ),
}


@pytest.mark.parametrize("preset", UNUSABLE)
def test_a_data_set_without_times_is_refused_with_what_can_be_done(tmp_path: Path, preset: str) -> None:
    name, text, why = UNUSABLE[preset]
    lay(tmp_path, {name: text})
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(DataRefused, match=rf"{name} has {why}.*recmodels.Dataset.from_pandas"):
            rows(path, preset)


def test_a_prepared_file_may_be_packed_in_any_way(tmp_path: Path) -> None:
    text = "1\tU1\t11/11/2019 12:05:58 AM\t\tN1-1\n"
    lay(tmp_path, {"behaviors.tsv.bz2": bz2.compress(text.encode())})
    assert prepare(preset_of("mind"), tmp_path) == [("interactions", tmp_path / "nightrec-interactions.parquet", 1)]
    assert rows(tmp_path, "mind")[0]["timestamp"] == at(2019, 11, 11, 0, 5, 58)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "behaviors.tsv.bz2", "nightrec-interactions.parquet"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("mind", {"behaviors.tsv": "1\tU1\tnoon\t\tN1-1\n"}, "behaviors.tsv: not as the data set is described"),
        ("steam", {"steam_reviews.json": "{'a': open('x')}\n"}, "line 1: .* is no Python literal"),
    ],
)
def test_files_that_are_not_as_described_are_not_prepared(
    tmp_path: Path, name: str, files: dict[str, str | bytes], message: str
) -> None:
    lay(tmp_path, files)
    with pytest.raises(DataRefused, match=message):
        prepare(preset_of(name), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_what_is_there_and_what_was_looked_for_is_said(tmp_path: Path) -> None:
    lay(tmp_path, {"log.csv": "x", "more/other.csv": "y"})
    for preset in PRESETS.values():
        if preset.name != "amazon":
            with pytest.raises(ConfigError) as refused:
                apply(preset.name, Inputs(interactions=TableInput(path=str(tmp_path))))
            assert preset.files("interactions")[0].names[0] in str(refused.value)
            assert "(there is log.csv, more)" in str(refused.value)
    with pytest.raises(ConfigError, match="has none of the files of the preset mind"):
        prepare(preset_of("mind"), tmp_path)
    with pytest.raises(ConfigError, match="there is nothing to prepare"):
        prepare(preset_of("hm"), tmp_path)


def test_several_releases_below_a_folder_are_not_guessed_among(tmp_path: Path) -> None:
    lay(tmp_path, {f"{release}/ratings.csv": ML_CSV["ratings.csv"] for release in ("ml-20m", "ml-25m")})
    with pytest.raises(ConfigError, match=r"several folders of movielens \(ml-20m, ml-25m\); name one"):
        apply("movielens", Inputs(interactions=TableInput(path=str(tmp_path))))


SEVERAL: dict[str, dict[str, str | bytes]] = {
    "amazon": {"Books.jsonl": "{}", "Toys.jsonl": "{}", "meta_Books.jsonl": "{}"},
    "foursquare": {"dataset_TSMC2014_NYC.txt": "x", "dataset_TSMC2014_TKY.txt": "x"},
    "gowalla": {"loc-gowalla_totalCheckins.txt": "x", "loc-brightkite_totalCheckins.txt.gz": "x"},
    "movielens": {"ratings.csv": "x", "u.data": "x"},
}


@pytest.mark.parametrize("preset", SEVERAL)
def test_several_logs_in_a_folder_are_not_guessed_among(tmp_path: Path, preset: str) -> None:
    first, second, *_ = SEVERAL[preset]
    lay(tmp_path, SEVERAL[preset])
    with pytest.raises(ConfigError, match=rf"several files of interactions \({first}, {second}\); name one"):
        apply(preset, Inputs(interactions=TableInput(path=str(tmp_path))))


def test_a_table_that_was_made_of_an_earlier_file_is_not_taken(tmp_path: Path) -> None:
    lay(tmp_path, {"behaviors.tsv": "1\tU1\t11/11/2019 9:05:58 AM\t\tN1-1\n"})
    ((_, made, _),) = prepare(preset_of("mind"), tmp_path)
    os.utime(made, (1, 1))
    with pytest.raises(
        ConfigError, match=r"was made of an earlier behaviors.tsv; make it again: nightrec presets mind"
    ):
        apply("mind", Inputs(interactions=TableInput(path=str(tmp_path))))


def test_several_folders_are_not_prepared_together(tmp_path: Path) -> None:
    line = "1\tU1\t11/11/2019 9:05:58 AM\t\tN1-1\n"
    lay(tmp_path, {f"MINDsmall_{part}/behaviors.tsv": line for part in ("dev", "train")})
    with pytest.raises(ConfigError, match=r"several folders of mind \(MINDsmall_dev, MINDsmall_train\); name one"):
        prepare(preset_of("mind"), tmp_path)


@pytest.mark.parametrize(("preset", "name"), [("movielens", "u.data"), ("gowalla", "loc-gowalla_totalCheckins.txt")])
def test_a_file_may_be_named_itself(tmp_path: Path, preset: str, name: str) -> None:
    text = {"u.data": ML_100K["u.data"], "loc-gowalla_totalCheckins.txt": "0\t2010-10-19T23:55:27Z\t3.5\t-9.1\t2\n"}
    lay(tmp_path, {name: text[name]})
    assert rows(tmp_path / name, preset)[0]["item_id"] in (242, 2)


def test_settings_of_the_configuration_win(tmp_path: Path) -> None:
    lay(tmp_path, {"ratings.dat": "1|10|5|978300760\n"})
    assert rows(tmp_path, "movielens", delimiter="|")[0]["item_id"] == 10


def test_every_preset_says_where_it_is_and_what_its_terms_are() -> None:
    for name, preset in PRESETS.items():
        assert preset.name == name and "http" in preset.home and preset.terms
        assert all("interactions" in {file.table for file in layout.files} for layout in preset.layouts)
        refused = [file.refused for layout in preset.layouts for file in layout.files if file.refused]
        assert all("--prepare" in text or "from_pandas" in text or "instead" in text for text in refused)
        assert all(preset.preparations for text in refused if "--prepare" in text)


def test_every_file_says_where_the_columns_are_that_its_table_needs() -> None:
    for preset in PRESETS.values():
        for layout in preset.layouts:
            for file in layout.files:
                assert file.refused or set(our_columns.REQUIRED[file.table]) <= file.used.keys(), (
                    preset.name,
                    file.names,
                )
