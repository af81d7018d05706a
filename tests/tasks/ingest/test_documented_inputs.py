"""Every example of the reference page of inputs, read: what the page says is what the reader does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from docs.site import inputs as page
from docs.site.inputs import Example
from recmodels.errors import DataRefused
from tasks.ingest.reading import ids, numbers, packing, schema
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.time_examples import ACCEPTED
from tests.tasks.raw import column, ingest, read, write

CUTOFF, NOW = datetime(2026, 7, 22, tzinfo=UTC), datetime(2026, 7, 23, tzinfo=UTC)
ROW = "u1|i1|2026-07-20\n"


def read_one(folder: Path, name: str, *texts: str, column_of: str | None = None) -> list[Any]:
    """A column of the interactions, read from a file that holds some texts in it."""
    columns = ["user_id", "item_id", "timestamp", *([name] if name == "rating" else [])]
    usual = {"user_id": "u1", "item_id": "i1", "timestamp": "2026-07-20"}
    rows = "".join("|".join((usual | {name: text})[c] for c in columns) + "\n" for text in texts)
    _, out = ingest(folder, write(folder / "log.csv", "|".join(columns) + "\n" + rows), CUTOFF, NOW)
    return column(out, column_of or name)


def read_items(folder: Path, names: str, *rows: str) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The columns of the items, read from a file that holds some rows of them."""
    log = write(folder / "log.csv", "user_id|item_id|timestamp\n" + ROW)
    lines = "".join(f"i{place}|{row}\n" for place, row in enumerate(rows))
    inputs = Inputs(interactions=log, items=write(folder / "items.csv", f"item_id|{names}\n{lines}"))
    summary, out = ingest(folder, inputs, CUTOFF, NOW)
    return read(out, "items").to_pydict(), summary


def test_a_number_that_is_listed_is_read_as_that_time(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for place, example in enumerate(page.COUNTED_TIMES):
        write(tmp_path / "log" / f"{place:02}.csv", f"user_id|item_id|timestamp\nu1|i1|{example.text}\n")
    _, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log")), CUTOFF, NOW)
    found = dict(zip((example.text for example in page.COUNTED_TIMES), column(out, "timestamp"), strict=True))
    assert found == {example.text: datetime.fromisoformat(f"{example.read}+00:00") for example in page.COUNTED_TIMES}


@pytest.mark.parametrize("example", page.NOT_TIMES, ids=lambda example: example.text)
def test_a_time_that_is_listed_as_refused_is(tmp_path: Path, example: Example) -> None:
    with pytest.raises(DataRefused) as refused:
        read_one(tmp_path, "timestamp", example.text)
    assert example.read in str(refused.value)


def test_a_rating_that_is_listed_is_read_so(tmp_path: Path) -> None:
    found = read_one(tmp_path, "rating", *(example.text for example in page.RATINGS))
    assert found == [float(example.read) for example in page.RATINGS]


def test_ratings_that_are_listed_as_refused_are_kept_as_texts(tmp_path: Path) -> None:
    texts = [example.text for example in page.NOT_RATINGS]
    assert read_one(tmp_path, "rating", *texts, column_of="rating_text") == texts
    assert read_one(tmp_path, "rating", *texts) == [None] * len(texts)


@pytest.mark.slow
def test_a_number_that_is_listed_is_read_so_in_a_column_of_its_kind(tmp_path: Path) -> None:
    names = [f"column {place}" for place in range(len(page.NUMBERS))]
    usual = "|".join(example.text if example.read else "5" for example in page.NUMBERS)
    values, summary = read_items(tmp_path, "|".join(names), *[usual] * 10, "|".join(e.text for e in page.NUMBERS))
    for name, example in zip(names, page.NUMBERS, strict=True):
        assert values[name][-1] == (float(example.read) if example.read else None)
        assert any(f"'{name}': 1 of 11 values are not numbers" in note for note in summary["notes"]) == (
            not example.read
        )


def test_an_id_that_is_listed_leaves_as_it_came(tmp_path: Path) -> None:
    assert read_one(tmp_path, "item_id", *(e.text for e in page.IDS)) == [e.read for e in page.IDS]


@pytest.mark.parametrize(("words", "meant"), [(schema.YES, True), (schema.NO, False)])
def test_words_for_yes_and_no_are_read_in_any_case(tmp_path: Path, words: tuple[str, ...], meant: bool) -> None:
    values, _ = read_items(tmp_path, "available", *words, *(word.upper() for word in words))
    assert values["available"] == [meant] * len(words) * 2


def test_words_for_a_missing_number_are_missing(tmp_path: Path) -> None:
    values, _ = read_items(tmp_path, "price", "1.5", *numbers.MISSING, *(text.upper() for text in numbers.MISSING))
    assert values["price"] == [1.5] + [None] * 2 * len(numbers.MISSING)


def test_words_for_a_null_are_missing_ratings_and_missing_flags(tmp_path: Path) -> None:
    assert read_one(tmp_path, "rating", "3", *numbers.NULLS) == [3.0] + [None] * len(numbers.NULLS)
    assert read_items(tmp_path, "available", "yes", *numbers.NULLS)[0]["available"] == [True] + [None] * len(
        numbers.NULLS
    )


def test_the_page_lists_what_the_reader_knows() -> None:
    text = page.inputs()
    listed = [*packing.ENDINGS, *packing.DOCUMENTS["endings"], *schema.YES, *schema.NO, *numbers.CURRENCIES]
    listed += [word.replace("\\n", "\\N") for word in numbers.MISSING if word]
    listed += [" ".join(accepted.example.split()) for accepted in ACCEPTED]
    assert [word for word in listed if f"`{word}`" not in text] == []
    assert [kind for kind in ids.TYPES if kind not in text] == []
