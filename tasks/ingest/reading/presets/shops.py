"""Data sets of shops."""

from __future__ import annotations

from tasks.ingest.reading.presets.layouts import LITERAL, DataFile, Layout, Preparation, Preset

_ASIN = ["parent_asin", "asin"]
_RATINGS = ["user_id", "item_id", "rating", "timestamp"]
_SAME = {name: name for name in ("user_id", "rating", "timestamp")}
_REVIEW = {
    "user_id": ["user_id", "reviewerID"],
    "item_id": _ASIN,
    "rating": ["rating", "overall"],
    "timestamp": ["timestamp", "unixReviewTime"],
}
_USER_OF_2014, _ITEM_OF_2014 = "A[0-9A-Z]{9,}", "[0-9B][0-9A-Z]{9}"

AMAZON = Preset(
    "amazon",
    "Amazon reviews of 2014, 2018 and 2023, a file a category",
    "https://amazon-reviews-2023.github.io (earlier: https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/)",
    "research; cite the papers",
    "All_Beauty",
    (
        Layout(
            "2023 reviews",
            (
                DataFile("interactions", ("*.jsonl",), _REVIEW, unlike=("meta_*",)),
                DataFile("items", ("meta_*.jsonl",), {"item_id": _ASIN, "title": ["title"]}),
            ),
            "2023-09-14",
        ),
        Layout(
            "2014 and 2018 reviews, also 5-core (…_5.json.gz)",
            (
                DataFile("interactions", ("*.json",), _REVIEW, unlike=("meta_*",)),
                DataFile(
                    "items",
                    ("meta_*.json",),
                    begins=LITERAL,
                    refused="lines are Python literals, not JSON; make a table of them first: "
                    "nightrec presets amazon --prepare FOLDER",
                ),
                DataFile("items", ("meta_*.json",), {"item_id": _ASIN, "title": ["title"]}),
            ),
            "2018-10-05",
        ),
        Layout(
            "2023 ratings only, also 5-core",
            (
                DataFile(
                    "interactions",
                    ("*.csv",),
                    {"item_id": "parent_asin"} | _SAME,
                    begins="user_id,parent_asin,",
                ),
            ),
            "2023-09-14",
        ),
        Layout(
            "2014 ratings only (ratings_….csv)",
            (
                DataFile(
                    "interactions",
                    ("*.csv",),
                    settings={"format": "csv", "header": _RATINGS, "delimiter": ","},
                    begins=f"{_USER_OF_2014},{_ITEM_OF_2014},",
                ),
            ),
            "2014-07-24",
        ),
        Layout(
            "2018 ratings only",
            (
                DataFile(
                    "interactions",
                    ("*.csv",),
                    settings={"format": "csv", "header": ["item_id", *_RATINGS[:1], *_RATINGS[2:]], "delimiter": ","},
                    begins=f"{_ITEM_OF_2014},{_USER_OF_2014},",
                ),
            ),
            "2018-10-05",
        ),
    ),
    notes=(
        "Give a folder with one category: its reviews or ratings, and meta_… if you have it.",
        "Items are those of parent_asin where there is one (2023), of asin otherwise.",
        "The ratings of 2014 begin with the user, those of 2018 with the item; their first line tells which.",
        "The last day differs by category; `nightrec validate` says what it is.",
    ),
    preparations=(
        Preparation(
            "items",
            ("meta_*.json",),
            "SELECT asin AS item_id, title, brand, price, list_distinct(flatten(categories)) AS categories, "
            "description FROM read_json($0, format = 'newline_delimited', columns = {asin: 'VARCHAR', "
            "title: 'VARCHAR', "
            "brand: 'VARCHAR', price: 'DOUBLE', categories: 'VARCHAR[][]', description: 'VARCHAR'})",
            "the metadata of 2014: title, brand, price, categories, description",
            literals=True,
        ),
    ),
    min_rating=4,
)

RETAILROCKET = Preset(
    "retailrocket",
    "RetailRocket: views, carts and purchases in a shop, 2015",
    "https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
    "CC BY-NC-SA 4.0",
    "retailrocket",
    (
        Layout(
            "Kaggle",
            (
                DataFile(
                    "interactions",
                    ("events.csv",),
                    {"user_id": "visitorid", "item_id": "itemid", "event": "event", "timestamp": "timestamp"},
                    {"timestamp_unit": "ms"},
                ),
            ),
            "2015-09-18",
        ),
    ),
    notes=(
        "The items' properties are a log of changes, a line a value; without --prepare there is no catalogue.",
        "The prepared catalogue has each item's last category and availability: for nights in the past it looks ahead.",
        "The categories get a c before their number, since they are names; category_tree.csv is not used.",
    ),
    weights={"view": 1, "addtocart": 3, "transaction": 5},
    preparations=(
        Preparation(
            "items",
            ("item_properties_part?.csv",),
            "SELECT itemid AS item_id, "
            "'c' || max_by(value, CAST(timestamp AS BIGINT)) FILTER (property = 'categoryid') AS category, "
            "max_by(value, CAST(timestamp AS BIGINT)) FILTER (property = 'available') AS available "
            "FROM read_csv($0, header = true, all_varchar = true) "
            "WHERE property IN ('categoryid', 'available') GROUP BY itemid ORDER BY itemid",
            "the last category of each item, and whether it is available",
        ),
    ),
)

_CLICK = "session: 'VARCHAR', time: 'VARCHAR', item: 'VARCHAR'"
_EVENTS = "SELECT session AS user_id, item AS item_id, time AS timestamp"
YOOCHOOSE = Preset(
    "yoochoose",
    "YOOCHOOSE: clicks and buys in a shop by session, 2014 (RecSys Challenge 2015)",
    "https://www.kaggle.com/datasets/chadgostopp/recsys-challenge-2015",
    "CC BY-NC-ND 4.0",
    "yoochoose-data",
    (
        Layout(
            "RecSys Challenge 2015",
            (
                DataFile(
                    "interactions",
                    ("yoochoose-clicks.dat",),
                    settings={
                        "format": "csv",
                        "header": ["user_id", "timestamp", "item_id", "category"],
                        "delimiter": ",",
                    },
                ),
            ),
            "2014-10-01",
        ),
    ),
    notes=(
        "A user is a session, since the data set has no other; nobody comes back after a day or so.",
        "Only the clicks are read, unless --prepare joins them and the buys (yoochoose-buys.dat) into one log.",
    ),
    weights={"click": 1, "buy": 5},
    preparations=(
        Preparation(
            "interactions",
            ("yoochoose-clicks.dat", "yoochoose-buys.dat"),
            f"{_EVENTS}, 'click' AS event FROM read_csv($0, header = false, auto_detect = false, delim = ',', "
            f"columns = {{{_CLICK}, category: 'VARCHAR'}}) UNION ALL "
            f"{_EVENTS}, 'buy' AS event FROM read_csv($1, header = false, auto_detect = false, delim = ',', "
            f"columns = {{{_CLICK}, price: 'VARCHAR', quantity: 'VARCHAR'}})",
            "clicks and buys as events of one log",
        ),
    ),
)

HM = Preset(
    "hm",
    "H&M: purchases of two years, articles and customers (Kaggle, 2022)",
    "https://www.kaggle.com/competitions/h-and-m-personalized-fashion-recommendations/data",
    "the rules of the competition: not commercial",
    "hm",
    (
        Layout(
            "Kaggle",
            (
                DataFile(
                    "interactions",
                    ("transactions_train.csv",),
                    {"user_id": "customer_id", "item_id": "article_id", "timestamp": "t_dat"},
                ),
                DataFile("items", ("articles.csv",), {"item_id": "article_id", "title": "prod_name"}),
                DataFile("users", ("customers.csv",), {"user_id": "customer_id"}),
            ),
            "2020-09-23",
        ),
    ),
    notes=("article_id keeps its leading zeros: it is text.", "The times are days."),
)

INSTACART = Preset(
    "instacart",
    "Instacart: three million grocery orders (2017)",
    "https://www.kaggle.com/competitions/instacart-market-basket-analysis/data",
    "not commercial",
    "instacart",
    (
        Layout(
            "Kaggle",
            (
                DataFile(
                    "interactions",
                    ("orders.csv", "order_products__prior.csv", "order_products__train.csv"),
                    refused="has days between a user's orders and no dates, so nobody knows which of two users' orders "
                    "was before the other's, and no night can be cut there. Fit and compare models on it from Python, "
                    "ordered by order_number: recmodels.Dataset.from_pandas",
                ),
            ),
        ),
    ),
)

TAOBAO = Preset(
    "taobao",
    "Taobao user behavior: nine days of page views, carts, favorites and purchases, 2017",
    "https://tianchi.aliyun.com/dataset/649",
    "research; not commercial",
    "taobao",
    (
        Layout(
            "UserBehavior",
            (
                DataFile(
                    "interactions",
                    ("UserBehavior.csv",),
                    settings={
                        "format": "csv",
                        "header": ["user_id", "item_id", "category_id", "event", "timestamp"],
                        "delimiter": ",",
                        "timestamp_unit": "s",
                    },
                ),
            ),
            "2017-12-03",
        ),
    ),
    notes=(
        "Some lines have times outside the nine days, as far as 1902 and 2037; the impossible ones are quarantined, "
        "the later ones lie behind the cutoff.",
        'The days are those of China (UTC+8); set timezone = "Asia/Shanghai" at the top of nightrec.toml.',
    ),
    weights={"pv": 1, "fav": 3, "cart": 3, "buy": 5},
)
