"""Nights on real data: MovieLens as it is downloaded, and in the layout of its one-million version."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.conftest import real_data
from tests.flows.running import Ran, nightrec
from tests.flows.sites import write

pytestmark = pytest.mark.real_data

CHEAP = ("--models", "popularity,item_knn")


@dataclass(frozen=True)
class Night:
    folder: Path
    ran: Ran

    @property
    def topk(self) -> pa.Table:
        return pq.read_table(self.folder / "store" / "exports" / "latest" / "topk")


@pytest.fixture(scope="module")
def movielens(tmp_path_factory: pytest.TempPathFactory, no_prefect: None) -> Night:
    source = real_data("movielens-small")
    folder = tmp_path_factory.mktemp("movielens")
    arguments = ("--preset", "movielens", "--interactions", source, "--date", "2018-09-25")
    return Night(folder, nightrec("run", *arguments, *CHEAP, cwd=folder))


def test_a_movielens_night_publishes_a_list_for_each_of_its_users(movielens: Night) -> None:
    assert movielens.ran.code == 0, movielens.ran.err
    assert (movielens.topk["user_id"].type, movielens.topk["item_id"].type) == (pa.int64(), pa.int64())
    assert movielens.topk["user_id"].to_pylist() == [user for user in range(1, 611) for _ in range(10)]
    assert "Winner: item_knn, NDCG@10 0." in movielens.ran.out


def test_nobody_gets_a_movie_that_they_rated(movielens: Night) -> None:
    ratings = real_data("movielens-small") / "ratings.csv"
    topk = f"'{movielens.folder}/store/exports/latest/topk/*.parquet'"
    seen = f"SELECT userId AS user_id, movieId AS item_id FROM '{ratings}'"
    assert duckdb.sql(f"FROM {topk} SEMI JOIN ({seen}) USING (user_id, item_id)").fetchall() == []


def test_the_comparison_is_over_enough_users(movielens: Night) -> None:
    """Few old users are active in any last days: the holdout falls back to each user's last movie."""
    record = json.loads((movielens.folder / "store" / "nights" / "2018-09-25" / "night.json").read_text())
    assert record["measured_on"] == "each user's last item: 608 users, 608 interactions"
    assert record["interactions"] == 100_836 and record["quarantined"] == 0


def test_recs_show_titles_and_what_they_are_because_of(movielens: Night) -> None:
    shown = nightrec("recs", "1", cwd=movielens.folder)
    assert shown.code == 0 and "For user 1, by item_knn (2018-09-25)" in shown.out
    rows = json.loads(nightrec("recs", "1", "--json", cwd=movielens.folder).out)
    movies = duckdb.sql(f"SELECT movieId, title FROM '{real_data('movielens-small') / 'movies.csv'}'").fetchall()
    titles = dict(movies)
    assert [row["title"] for row in rows] == [titles[row["item_id"]] for row in rows]
    assert all(row["reason_title"] == titles[row["reason_item_id"]] for row in rows)
    assert all(row["title"] in shown.out for row in rows)


def test_recs_refuse_what_cannot_be_a_user(movielens: Night) -> None:
    users = ("611", "anna", str(2**64))
    unknown, text, huge = (nightrec("recs", user, cwd=movielens.folder) for user in users)
    assert (unknown.code, text.code, huge.code) == (2, 2, 2)
    assert f"User {2**64} cannot be" in huge.err
    assert "User 611 is not in the export 2018-09-25" in unknown.err
    assert "User anna cannot be: this site's user ids are whole numbers." in text.err


def test_status_names_the_champion(movielens: Night) -> None:
    shown = nightrec("status", cwd=movielens.folder)
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if "2018-09-25" in line)
    assert all(part in line for part in ("(latest)", "published", "item_knn", "610", "6,100"))


def test_verify_finds_the_export_as_it_was_published(movielens: Night) -> None:
    shown = nightrec("verify", cwd=movielens.folder)
    assert shown.code == 0, shown.err
    assert "2018-09-25: 4 files and 6,1" in shown.out
    assert "the lists of 610 users keep the contract" in shown.out


def test_categories_are_genres_and_tags_are_read(movielens: Night) -> None:
    night = movielens.folder / "store" / "nights" / "2018-09-25"
    popular = pq.read_table(movielens.folder / "store" / "exports" / "latest" / "popular")
    assert {None, "Comedy", "Film-Noir"} <= set(popular["category"].to_pylist())
    assert pq.read_metadata(night / "valid" / "tags.parquet").num_rows == 3_683
    terms = pq.read_table(night / "features" / "full" / "vocabulary.parquet")
    assert "noir" in " ".join(terms["term"].to_pylist()).lower()


# The files of MovieLens 1M: '::' between the columns, latin-1, no header


def ratings(users: int = 30, movies: int = 15, each: int = 6) -> str:
    start = int(datetime(2003, 2, 1, tzinfo=UTC).timestamp())
    return "".join(
        f"{user}::{1 + (user * 2 + n * 4) % movies}::{4 + n % 2}::{start + 86_400 * ((user * 5 + n * 9) % 28)}\n"
        for user in range(1, users + 1)
        for n in range(each)
    )


def test_a_folder_of_latin_1_dat_files_is_read_by_the_preset(tmp_path: Path, no_prefect: None) -> None:
    titles = [f'Léon {n}: l\'été, "déjà" (1994)' for n in range(1, 16)]
    movies = "".join(f"{n}::{title}::Drame|Comédie\n" for n, title in enumerate(titles, 1))
    write(tmp_path / "ml" / "movies.dat", movies.encode("latin-1"))
    write(tmp_path / "ml" / "ratings.dat", ratings())
    ran = nightrec("run", "--preset", "movielens", "--interactions", "ml", "--date", "2003-03-01", *CHEAP, cwd=tmp_path)
    assert ran.code == 0, ran.err
    rows = json.loads(nightrec("recs", "7", "--json", cwd=tmp_path).out)
    assert {row["title"] for row in rows} <= set(titles) and len(rows) == 9
    popular = pq.read_table(tmp_path / "store" / "exports" / "latest" / "popular")
    assert set(popular["category"].to_pylist()) == {None, "Drame", "Comédie"}


def test_interactions_as_parquet_go_with_items_as_dat(tmp_path: Path, no_prefect: None) -> None:
    """A column mapping for the one, a preset for the other; every tenth user, to be quick."""
    source = real_data("ml-1m")
    positives = pq.read_table(source / "positives.parquet")
    tenth = positives.filter(pc.equal(pc.bit_wise_and(positives["user_id"].cast(pa.int64()), 15), 0))
    pq.write_table(tenth, tmp_path / "positives.parquet")
    newest = datetime.fromtimestamp(pc.max(tenth["timestamp"]).as_py(), UTC).date()
    arguments = ("--interactions", "positives.parquet", "--columns", "item_id=movie_id", "--preset", "movielens")
    ran = nightrec(
        "run",
        *arguments,
        "--items",
        source / "movies.dat",
        "--date",
        f"{newest + timedelta(days=1)}",
        *CHEAP,
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    topk = pq.read_table(tmp_path / "store" / "exports" / "latest" / "topk")
    assert set(topk["user_id"].to_pylist()) == set(tenth["user_id"].to_pylist())
    rows = json.loads(nightrec("recs", str(tenth["user_id"][0]), "--json", cwd=tmp_path).out)
    assert all(row["title"].endswith(")") for row in rows)
