"""Imitations of public data sets, as they are downloaded, are read by their presets with the right values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.presets.catalog import preset_of
from tasks.ingest.reading.presets.prepare import prepare
from tests.tasks.ingest.reading.known import ML_100K, ML_CSV, at, lay, only, rows

pytestmark = pytest.mark.slow


def test_movielens_100k(tmp_path: Path) -> None:
    folder = lay(tmp_path, ML_100K)
    assert rows(folder, "movielens") == [
        {"user_id": 196, "item_id": 242, "rating": 3.0, "timestamp": at(1997, 12, 4, 15, 55, 49)},
        {"user_id": 186, "item_id": 302, "rating": 3.0, "timestamp": at(1998, 4, 4, 19, 22, 22)},
    ]
    kolya, les = rows(folder, "movielens", "items")
    assert only(kolya, "item_id", "title", "release_date", "comedy", "drama") == (
        242, "Kolya (1996)", "24-Jan-1997", 1, 0
    )  # fmt: skip
    assert les["title"] == 'Misérables, "Les" (1995)'
    assert [only(user, "user_id", "zip") for user in rows(folder, "movielens", "users")] == [
        (196, "55105"), (186, "00000")
    ]  # fmt: skip


@pytest.mark.parametrize("inner", ["", "ml-25m/", "ml-32m/"])
def test_movielens_csv_in_its_folder_and_in_the_folder_of_its_archive(tmp_path: Path, inner: str) -> None:
    folder = lay(tmp_path, {inner + name: text for name, text in ML_CSV.items()})
    assert rows(folder, "movielens") == [
        {"user_id": 1, "item_id": 296, "rating": 5.0, "timestamp": at(2006, 5, 17, 15, 34, 4)}
    ]
    assert [only(one, "item_id", "title") for one in rows(folder, "movielens", "items")] == [
        (296, "American President, The (1995)")
    ]
    assert [only(one, "item_id", "tag") for one in rows(folder, "movielens", "tags")] == [(296, "classic")]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_movielens_1m_is_in_latin_1_and_10m_in_utf_8(tmp_path: Path, encoding: str) -> None:
    lay(
        tmp_path,
        {
            "ml/ratings.dat": "1::122::5::838985046\n",
            "ml/movies.dat": "122::Misérables, Les (1995)::Drama|Musical\n".encode(encoding),
            "ml/tags.dat": "15::122::excellent! née::1215184630\n".encode(encoding),
        },
    )
    assert rows(tmp_path, "movielens", "items")[0]["title"] == "Misérables, Les (1995)"
    assert rows(tmp_path, "movielens", "tags")[0]["tag"] == "excellent! née"
    assert rows(tmp_path, "movielens")[0]["timestamp"] == at(1996, 8, 2, 11, 24, 6)


AMAZON_RATINGS = {
    "2014": ("ratings_Beauty.csv", "A39HTATAQ9V7YF,0205616461,5.0,1369699200\n"),
    "2018": ("All_Beauty.csv", "0205616461,A39HTATAQ9V7YF,5.0,1369699200\n"),
    "2023": (
        "All_Beauty.csv.gz",
        "user_id,parent_asin,rating,timestamp\nA39HTATAQ9V7YF,0205616461,5.0,1369699200000\n",
    ),
    "2023, 5-core, with the history": (
        "All_Beauty.train.csv",
        "user_id,parent_asin,rating,timestamp,history\nA39HTATAQ9V7YF,0205616461,5.0,1369699200000,B1 B2\n",
    ),
}


@pytest.mark.parametrize("year", AMAZON_RATINGS)
def test_amazon_ratings_of_each_year_have_their_users_and_items_apart(tmp_path: Path, year: str) -> None:
    name, text = AMAZON_RATINGS[year]
    assert rows(lay(tmp_path, {name: text}), "amazon") == [
        {"user_id": "A39HTATAQ9V7YF", "item_id": "0205616461", "rating": 5.0, "timestamp": at(2013, 5, 28)}
    ]


def test_amazon_metadata_of_2014_are_python_literals_and_prepared(tmp_path: Path) -> None:
    review = {"reviewerID": "A1", "asin": "0594287995", "overall": 4.0, "unixReviewTime": 1390176000}
    meta = "{'asin': '0594287995', 'title': \"It's\", 'price': 9.99, 'categories': [['Books', 'Art'], ['Books']]}\n"
    folder = lay(tmp_path, {"reviews_Books_5.json.gz": json.dumps(review) + "\n", "meta_Books.json.gz": meta})
    with pytest.raises(
        DataRefused, match=r"meta_Books.json.gz lines are Python literals, not JSON; .*--prepare FOLDER"
    ):
        rows(folder, "amazon")
    assert [(table, number) for table, _, number in prepare(preset_of("amazon"), folder)] == [("items", 1)]
    (item,) = rows(folder, "amazon", "items")
    assert only(item, "item_id", "title", "price") == ("0594287995", "It's", 9.99)
    assert sorted(item["categories"]) == ["Art", "Books"]


EVENTS = (
    "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
    "1433224214164,992329,addtocart,248676,\n1433222276276,599528,transaction,356475,4000\n"
)
PROPERTIES = "timestamp,itemid,property,value\n"


def test_retailrocket_and_its_prepared_catalogue(tmp_path: Path) -> None:
    folder = lay(
        tmp_path,
        {
            "events.csv": EVENTS,
            "category_tree.csv": "categoryid,parentid\n1016,213\n231,\n",
            "item_properties_part1.csv": PROPERTIES
            + "1435460400000,355908,categoryid,1338\n1441508400000,355908,888,1116713 960601 n277.200\n"
            "1439089200000,355908,available,1\n",
            "item_properties_part2.csv": PROPERTIES
            + "1441508400000,355908,available,0\n1433041200000,355908,categoryid,213\n"
            "1433041200000,248676,available,1\n",
        },
    )
    events = rows(folder, "retailrocket")
    assert [only(row, "user_id", "event", "item_id") for row in events] == [
        (257597, "view", 355908), (992329, "addtocart", 248676), (599528, "transaction", 356475)
    ]  # fmt: skip
    assert events[0]["timestamp"] == datetime(2015, 6, 2, 5, 2, 12, 117000, tzinfo=UTC)
    prepare(preset_of("retailrocket"), folder)
    assert [only(row, "item_id", "category", "available") for row in rows(folder, "retailrocket", "items")] == [
        (248676, None, True), (355908, "c1338", False)
    ]  # fmt: skip


def test_yoochoose_clicks_alone_and_with_the_buys(tmp_path: Path) -> None:
    folder = lay(
        tmp_path,
        {
            "yoochoose-clicks.dat": "1,2014-04-07T10:51:09.277Z,214536502,0\n11,2014-04-03T10:44:35.672Z,214821275,S\n",
            "yoochoose-buys.dat": "11,2014-04-03T10:46:35.000Z,214821275,1046,1\n",
        },
    )
    click = {"user_id": 1, "item_id": 214536502, "timestamp": datetime(2014, 4, 7, 10, 51, 9, 277000, UTC)}
    assert rows(folder, "yoochoose")[0] == click
    assert [number for *_, number in prepare(preset_of("yoochoose"), folder)] == [3]
    found = rows(folder, "yoochoose")
    assert [only(row, "item_id", "event") for row in found] == [
        ("214536502", "click"), ("214821275", "click"), ("214821275", "buy")
    ]  # fmt: skip
    assert found[0]["timestamp"] == click["timestamp"]


def test_hm_keeps_the_zeros_of_its_articles(tmp_path: Path) -> None:
    customer = "000058a12d5b43e67d225668fa1f8d618c13dc232df0cad8ffe7ad4a1091e318"
    folder = lay(
        tmp_path,
        {
            "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
            f"2018-09-20,{customer},0108775015,0.050830508474576264,2\n",
            "articles.csv": "article_id,product_code,prod_name,detail_desc\n"
            '0108775015,0108775,Strap top,"Jersey top, with narrow straps."\n',
            "customers.csv": "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code\n"
            f"{customer},,,ACTIVE,NONE,49.0,52043ee2162cf5aa7ee79974281641c6f11a68d276429a91f8ca0d4b6efa8100\n",
        },
    )
    assert rows(folder, "hm") == [{"user_id": customer, "item_id": "0108775015", "timestamp": at(2018, 9, 20)}]
    assert only(rows(folder, "hm", "items")[0], "item_id", "title") == ("0108775015", "Strap top")
    assert only(rows(folder, "hm", "users")[0], "user_id", "age") == (customer, 49)


def test_taobao(tmp_path: Path) -> None:
    folder = lay(tmp_path, {"UserBehavior.csv": "1,2268318,2520377,pv,1511544070\n1,2333346,2520771,buy,1511561733\n"})
    assert [only(row, "user_id", "item_id", "event") for row in rows(folder, "taobao")] == [
        (1, 2268318, "pv"), (1, 2333346, "buy")
    ]  # fmt: skip


def test_lastfm_1k_has_artists_as_items(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "lastfm-dataset-1K",
        {
            "userid-timestamp-artid-artname-traid-traname.tsv": "user_000001\t2009-05-04T23:08:57Z\t"
            'f1b1cf71\tDeep Dish\t\tFuck Me "Im Famous\nuser_000001\t2009-05-04T13:54:10Z\t\t坂本龍一\t\tComposition\n',
            "userid-profile.tsv": "#id\tgender\tage\tcountry\tregistered\nuser_000001\tm\t\tJapan\tAug 13, 2006\n",
        },
    ).parent
    assert rows(folder, "lastfm") == [
        {"user_id": "user_000001", "item_id": "Deep Dish", "timestamp": at(2009, 5, 4, 23, 8, 57)},
        {"user_id": "user_000001", "item_id": "坂本龍一", "timestamp": at(2009, 5, 4, 13, 54, 10)},
    ]
    assert only(rows(folder, "lastfm", "users")[0], "user_id", "country") == ("user_000001", "Japan")
    songs = rows(folder, "lastfm", columns={"item_id": "traname"})
    assert songs[0]["item_id"] == 'Fuck Me "Im Famous'


def test_yelp(tmp_path: Path) -> None:
    review = {"review_id": "r", "user_id": "mh_", "business_id": "XQfw", "stars": 3.0, "date": "2018-07-07 22:09:11"}
    business = {
        "business_id": "XQfw",
        "name": "Turning Point",
        "is_open": 0,
        "categories": "Food, Cafes",
        "hours": None,
    }
    user = {"user_id": "mh_", "name": "W", "review_count": 585, "friends": "a, b"}
    files = {"review": review, "business": business, "user": user}
    folder = lay(tmp_path, {f"yelp_academic_dataset_{k}.json": json.dumps(v) + "\n" for k, v in files.items()})
    assert rows(folder, "yelp") == [
        {"user_id": "mh_", "item_id": "XQfw", "rating": 3.0, "timestamp": at(2018, 7, 7, 22, 9, 11)}
    ]
    assert only(rows(folder, "yelp", "items")[0], "item_id", "title", "available") == ("XQfw", "Turning Point", False)
    assert only(rows(folder, "yelp", "users")[0], "user_id", "review_count") == ("mh_", 585)


def test_steam_reviews_and_games_are_prepared(tmp_path: Path) -> None:
    folder = lay(
        tmp_path,
        {
            "steam_reviews.json.gz": "{u'username': u'Chaos Syren', u'hours': 0.1, u'product_id': u'725280', "
            "u'date': u'2017-12-17', u'text': u'This would not be \"acceptable\"', u'early_access': False}\n",
            "steam_games.json.gz": "{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Indie'], "
            "u'app_name': u'Lost Summoner Kitty', u'price': 4.99, u'id': u'725280'}\n",
        },
    )
    with pytest.raises(DataRefused, match="nightrec presets steam --prepare FOLDER"):
        rows(folder, "steam")
    prepare(preset_of("steam"), folder)
    assert rows(folder, "steam") == [{"user_id": "Chaos Syren", "item_id": "725280", "timestamp": at(2017, 12, 17)}]
    (game,) = rows(folder, "steam", "items")
    assert only(game, "item_id", "title", "genres") == ("725280", "Lost Summoner Kitty", ["Action", "Indie"])


def test_mind_clicks_are_prepared(tmp_path: Path) -> None:
    folder = lay(
        tmp_path / "MINDsmall_train",
        {
            "behaviors.tsv": "1\tU13740\t11/11/2019 9:05:58 AM\tN55189 N42782\tN55689-1 N35729-0\n"
            "2\tU91836\t11/12/2019 6:11:30 PM\t\tN20678-0 N39317-1 N1-1\n",
            "news.tsv": 'N55689\tsports\tfootball_nfl\tCharles "Rogers\tThe abstract\thttps://a\t[]\t[]\n',
        },
    )
    with pytest.raises(DataRefused, match=r"a line for each page shown, not for each click; .*--prepare FOLDER"):
        rows(folder, "mind")
    prepare(preset_of("mind"), folder)
    assert rows(folder, "mind") == [
        {"user_id": "U13740", "item_id": "N55689", "timestamp": at(2019, 11, 11, 9, 5, 58)},
        {"user_id": "U91836", "item_id": "N39317", "timestamp": at(2019, 11, 12, 18, 11, 30)},
        {"user_id": "U91836", "item_id": "N1", "timestamp": at(2019, 11, 12, 18, 11, 30)},
    ]
    (news,) = rows(folder, "mind", "items")
    assert only(news, "item_id", "category", "title") == ("N55689", "sports", 'Charles "Rogers')


@pytest.mark.parametrize("name", ["loc-gowalla_totalCheckins.txt.gz", "loc-brightkite_totalCheckins.txt"])
def test_gowalla_and_brightkite(tmp_path: Path, name: str) -> None:
    folder = lay(tmp_path, {name: "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"})
    assert rows(folder, "gowalla") == [{"user_id": 0, "item_id": 22847, "timestamp": at(2010, 10, 19, 23, 55, 27)}]


def test_foursquare_and_its_prepared_places(tmp_path: Path) -> None:
    line = "470\t49bbd6c0f964a520f4531fe3\t4bf58dd8d48988d127951735\tCafé\t40.719\t-74.002\t-240\t"
    folder = lay(
        tmp_path,
        {
            "dataset_TSMC2014_NYC.txt": f"{line}Tue Apr 03 18:00:09 +0000 2012\n".encode("latin-1"),
            "dataset_TSMC2014_readme.md": "x",
        },
    )
    venue = "49bbd6c0f964a520f4531fe3"
    assert rows(folder, "foursquare") == [{"user_id": 470, "item_id": venue, "timestamp": at(2012, 4, 3, 18, 0, 9)}]
    prepare(preset_of("foursquare"), folder)
    assert only(rows(folder, "foursquare", "items")[0], "item_id", "category") == (venue, "Café")
