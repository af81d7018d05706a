"""Data sets of films, books, music, games and news."""

from __future__ import annotations

from tasks.ingest.reading.presets.layouts import NO_TIME, DataFile, Layout, Preparation, Preset, headless

_USER, _MOVIE = ["userId", "user_id"], ["movieId", "movie_id", "item_id"]
_TIME = {"timestamp": ["timestamp"]}
_GENRES = (
    *("unknown", "action", "adventure", "animation", "childrens", "comedy", "crime", "documentary", "drama"),
    *("fantasy", "film_noir", "horror", "musical", "mystery", "romance", "sci_fi", "thriller", "war", "western"),
)
_EITHER = ("utf-8", "latin-1")  # the 10M release is in UTF-8, those before it are in latin-1

MOVIELENS = Preset(
    "movielens",
    "MovieLens: ratings and tags of films by the users of movielens.org",
    "https://grouplens.org/datasets/movielens/",
    "research and teaching; not commercial, not redistributed",
    "ml-25m",
    (
        Layout(
            "20M, 25M, 32M, latest, latest-small",
            (
                DataFile(
                    "interactions",
                    ("ratings.csv",),
                    {"user_id": _USER, "item_id": _MOVIE, "rating": ["rating"]} | _TIME,
                ),
                DataFile("items", ("movies.csv",), {"item_id": _MOVIE, "title": ["title"]}),
                DataFile("tags", ("tags.csv",), {"item_id": _MOVIE, "tag": ["tag"]} | _TIME),
                DataFile("users", ("users.csv",), {"user_id": _USER}),
            ),
            "2019-11-22",
        ),
        Layout(
            "1M, 10M",
            (
                headless("interactions", "ratings.dat", ("user_id", "item_id", "rating", "timestamp"), "::"),
                headless("items", "movies.dat", ("item_id", "title", "genres"), "::", _EITHER),
                headless("users", "users.dat", ("user_id", "gender", "age", "occupation", "zip"), "::", _EITHER),
                headless("tags", "tags.dat", ("user_id", "item_id", "tag", "timestamp"), "::", _EITHER),
            ),
            "2003-03-01",
            "ml-1m",
        ),
        Layout(
            "100K",
            (
                headless("interactions", "u.data", ("user_id", "item_id", "rating", "timestamp"), "\t"),
                headless(
                    "items",
                    "u.item",
                    ("item_id", "title", "release_date", "video_release_date", "imdb_url", *_GENRES),
                    "|",
                    _EITHER,
                ),
                headless("users", "u.user", ("user_id", "age", "gender", "occupation", "zip"), "|", _EITHER),
            ),
            "1998-04-23",
            "ml-100k",
        ),
    ),
    notes=(
        "The other files (links.csv, genome-*.csv, u1.base, u.genre …) are not used.",
        "The genres of 100K are a column of 0 and 1 each; those of the other releases are tags.",
        "Last days: 100K 1998-04-22, 1M 2003-02-28, 10M 2009-01-05, 20M 2015-03-31, latest-small 2018-09-24, "
        "25M 2019-11-21, 32M 2023-10-13; --date is the day after.",
    ),
    min_rating=4,
)

BOOKCROSSING = Preset(
    "bookcrossing",
    "Book-Crossing: ratings of books, collected in 2004",
    "http://www2.informatik.uni-freiburg.de/~cziegler/BX/ (copies on kaggle.com)",
    "unknown",
    "BX-CSV-Dump",
    (
        Layout(
            "BX-CSV-Dump",
            (
                DataFile(
                    "interactions",
                    ("BX-Book-Ratings.csv", "BX_Book_Ratings.csv", "Book-Ratings.csv", "Ratings.csv"),
                    begins='"?User-ID"?[;,]',
                    refused=f"{NO_TIME}, with weight 1 where Book-Rating is 0: such rows are no ratings but implicit "
                    "(pandas.read_csv(..., sep=';', encoding='latin-1'))",
                ),
            ),
        ),
    ),
)

_LAST_FM = "http://ocelma.net/MusicRecommendationDataset/"
LASTFM = Preset(
    "lastfm",
    "Last.fm 1K: what a thousand users listened to, song by song",
    _LAST_FM,
    "not commercial",
    "lastfm-dataset-1K",
    (
        Layout(
            "1K",
            (
                headless(
                    "interactions",
                    "userid-timestamp-artid-artname-traid-traname.tsv",
                    ("user_id", "timestamp", "artid", "item_id", "traid", "traname"),
                    "\t",
                ),
                DataFile(
                    "users",
                    ("userid-profile.tsv",),
                    {"user_id": ["#id", "id"]},
                    {"delimiter": "\t", "quote": None},
                ),
            ),
            "2009-06-20",
        ),
        Layout("360K", (DataFile("interactions", ("usersha1-artmbid-artname-plays.tsv",), refused=NO_TIME),)),
        Layout("2K (HetRec 2011)", (DataFile("interactions", ("user_artists.dat",), refused=NO_TIME),)),
    ),
    notes=(
        "An item is an artist, by name: artid is missing for some. For songs: --columns item_id=traname.",
        "360K and the 2K of HetRec 2011 are refused: they have counts of plays and no times.",
        "A few lines are dated years after the rest; they lie behind the cutoff of --date 2009-06-20.",
    ),
)

_LITERAL_LINES = "lines are Python literals, not JSON; make a table of them first: nightrec presets {name} --prepare "
STEAM = Preset(
    "steam",
    "Steam: reviews and play times of games",
    "https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
    "research; cite the papers",
    "steam",
    (
        Layout(
            "reviews (UCSD, version 2)",
            (
                DataFile(
                    "interactions",
                    ("steam_reviews.json",),
                    refused=_LITERAL_LINES.format(name="steam") + "FOLDER",
                ),
                DataFile("items", ("steam_games.json",), refused=_LITERAL_LINES.format(name="steam") + "FOLDER"),
            ),
            "2018-01-06",
        ),
        Layout(
            "Australian users (UCSD, version 1)",
            (
                DataFile("interactions", ("australian_users_items.json",), refused=NO_TIME),
                DataFile(
                    "interactions",
                    ("australian_user_reviews.json",),
                    refused="has times in prose ('Posted November 5, 2011.'), not all with a year; take the reviews of "
                    "version 2 instead (steam_reviews.json.gz)",
                ),
            ),
        ),
        Layout("200K (Kaggle)", (DataFile("interactions", ("steam-200k.csv",), refused=NO_TIME),)),
    ),
    notes=(
        "The files of UCSD hold Python literals ({'username': …}), which --prepare turns into tables.",
        "Users go by their names, since most reviews have no user_id.",
        "steam-200k.csv and the play times of Australian users are refused: they have no times.",
    ),
    preparations=(
        Preparation(
            "interactions",
            ("steam_reviews.json",),
            "SELECT username AS user_id, product_id AS item_id, date AS timestamp FROM read_json($0, "
            "format = 'newline_delimited', columns = {username: 'VARCHAR', product_id: 'VARCHAR', date: 'VARCHAR'})",
            "a review is an event",
            literals=True,
        ),
        Preparation(
            "items",
            ("steam_games.json",),
            "SELECT id AS item_id, app_name AS title, * EXCLUDE (id, app_name) FROM read_json($0, "
            "format = 'newline_delimited', columns = {id: 'VARCHAR', app_name: 'VARCHAR', developer: 'VARCHAR', "
            "publisher: 'VARCHAR', genres: 'VARCHAR[]', tags: 'VARCHAR[]', price: 'VARCHAR', release_date: 'VARCHAR'})",
            "title, developer, publisher, genres, tags, price",
            literals=True,
        ),
    ),
)

MIND = Preset(
    "mind",
    "MIND: clicks on Microsoft News, and the articles",
    "https://msnews.github.io",
    "Microsoft Research License: research, not commercial",
    "MINDsmall_train",
    (
        Layout(
            "MINDsmall, MINDlarge",
            (
                DataFile(
                    "interactions",
                    ("behaviors.tsv",),
                    refused="has a line for each page shown, not for each click; make a table of the clicks first: "
                    "nightrec presets mind --prepare FOLDER",
                ),
                headless(
                    "items",
                    "news.tsv",
                    (
                        *("item_id", "category", "subcategory", "title", "abstract"),
                        *("url", "title_entities", "abstract_entities"),
                    ),
                    "\t",
                ),
            ),
            "2019-11-15",
        ),
    ),
    notes=(
        "An impression N123-1 becomes a click on N123; those that end in -0 were shown and not clicked.",
        "The column of a user's history is left out: it has no times.",
        "The times name no zone; they are taken as UTC.",
    ),
    preparations=(
        Preparation(
            "interactions",
            ("behaviors.tsv",),
            "SELECT user_id, regexp_replace(shown, '-1$', '') AS item_id, "
            "strptime(time, '%m/%d/%Y %I:%M:%S %p') AS timestamp FROM (SELECT user_id, time, "
            "unnest(string_split(impressions, ' ')) AS shown FROM read_csv($0, delim = '\\t', quote = '', escape = '', "
            "header = false, auto_detect = false, columns = {impression_id: 'VARCHAR', user_id: 'VARCHAR', "
            "time: 'VARCHAR', history: 'VARCHAR', impressions: 'VARCHAR'})) WHERE shown LIKE '%-1'",
            "a click is an event",
        ),
    ),
)
