"""Between nights, from a file: what the catalogue says now is what is listed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.refilter import refilter
from flows.refilter import bring_up_to_date
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError, DataRefused
from recmodels.published.reader import read_latest
from tasks.ingest.catalogue import items_now
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.publishing import prepare_night, publish, with_manifests

NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)


def there(path: Path, text: str, **settings: object) -> dict[object, bool]:
    path.write_text(text)
    table = items_now(TableInput(path=str(path), **settings), NOW, whole_numbers=True, max_refused=0.05)
    return dict(zip(*(table[name].to_pylist() for name in ("item_id", "there")), strict=True))


def test_what_a_table_says_of_this_moment(tmp_path: Path) -> None:
    rows = ["1,,,", "2,no,,", "2,,,", "3,,2026-07-20T13:00Z,"]
    rows += ["4,yes,2026-07-20T11:00Z,2026-07-20", "5,,,2026-07-20 11:59"]
    text = "\n".join(["sku,available,available_from,available_until", *rows, ",,,"])
    found = there(tmp_path / "now.csv", text, columns={"item_id": "sku"})
    assert found == {1: True, 2: False, 3: False, 4: True, 5: False}
    assert there(tmp_path / "texts.csv", "item_id\n7\nA\n") == {"7": True, "A": True}


def test_lines_that_are_no_rows_make_no_item_go(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"items: 1 of 3 lines of .*now\.csv are no rows, and their items would be"):
        there(tmp_path / "now.csv", "item_id,title\n1,a\n2,b,c\n3,d\n")


@pytest.mark.slow
def test_the_site_s_own_table_is_read_again_or_another_one_in_the_same_way(tmp_path: Path) -> None:
    night = prepare_night(tmp_path / "store")
    with_manifests(night)
    publish(night)
    config = NightConfig(store=tmp_path / "store")
    with pytest.raises(ConfigError, match="There is no table of items: name the catalogue as it is now with --items"):
        bring_up_to_date(config)
    own, other = tmp_path / "items.csv", tmp_path / "other.csv"
    soon = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
    own.write_text("sku;available_until\n" + "".join(f"i{n};{soon}\n" for n in range(8)))
    other.write_text("sku;available_until\ni1;2026-04-01\n")
    table = TableInput(path=str(own), columns={"item_id": "sku"})
    config = config.model_copy(update={"inputs": Inputs(interactions=TableInput(path="log.csv"), items=table)})
    assert not bring_up_to_date(config).published
    found = bring_up_to_date(config, str(other), complete=False)
    assert found.published and found.items == 1 and "i1" not in read_latest(night.store.root)["item_id"].to_pylist()
    said = CliRunner().invoke(refilter, ["--store", str(night.store.root), "--items", str(own), "--json"])
    assert said.exit_code != 0 and "has no column 'item_id'" in str(said.exception)
    own.write_text("item_id\n" + "".join(f"i{n}\n" for n in range(8)))
    said = CliRunner().invoke(refilter, ["--store", str(night.store.root), "--items", str(own), "--json"])
    day = str(night.run_date)
    assert json.loads(said.stdout) == {"export_id": f"{day}.3", "of": day, "items": 0, "lists": 0, "published": True}
