"""Data sets of places: reviews of businesses, and check-ins."""

from __future__ import annotations

from tasks.ingest.reading.presets.layouts import DataFile, Layout, Preparation, Preset, headless

YELP = Preset(
    "yelp",
    "Yelp Open Dataset: reviews of businesses",
    "https://business.yelp.com/data/resources/open-dataset/",
    "Yelp's terms: academic use",
    "yelp_dataset",
    (
        Layout(
            "JSON",
            (
                DataFile(
                    "interactions",
                    ("yelp_academic_dataset_review.json", "review.json"),
                    {"user_id": "user_id", "item_id": "business_id", "rating": "stars", "timestamp": "date"},
                ),
                DataFile(
                    "items",
                    ("yelp_academic_dataset_business.json", "business.json"),
                    {"item_id": "business_id", "title": "name", "available": "is_open"},
                ),
                DataFile("users", ("yelp_academic_dataset_user.json", "user.json"), {"user_id": "user_id"}),
            ),
            "2022-01-20",
        ),
    ),
    notes=(
        "A business that is closed (is_open 0) is not recommended.",
        "The times name no zone; they are taken as UTC.",
        "The tips and check-ins are not used.",
    ),
    min_rating=4,
)

_CHECK_INS = ("user_id", "timestamp", "latitude", "longitude", "item_id")
GOWALLA = Preset(
    "gowalla",
    "Gowalla and Brightkite: check-ins at places, 2008 to 2010 (SNAP)",
    "https://snap.stanford.edu/data/loc-gowalla.html",
    "unknown; cite the paper",
    "gowalla",
    (
        Layout("Gowalla", (headless("interactions", "loc-gowalla_totalCheckins.txt", _CHECK_INS, "\t"),), "2010-10-24"),
        Layout(
            "Brightkite",
            (headless("interactions", "loc-brightkite_totalCheckins.txt", _CHECK_INS, "\t"),),
            "2010-10-19",
        ),
    ),
    notes=("The graph of friends (…_edges.txt) is not used.",),
)

_ROWS_OF_FOURSQUARE = (
    "read_csv($0, delim = '\\t', quote = '', escape = '', header = false, auto_detect = false, columns = "
    "{user_id: 'VARCHAR', venue: 'VARCHAR', category_id: 'VARCHAR', category: 'VARCHAR', latitude: 'DOUBLE', "
    "longitude: 'DOUBLE', minutes: 'INTEGER', time: 'VARCHAR'})"
)
FOURSQUARE = Preset(
    "foursquare",
    "Foursquare: check-ins in New York and Tokyo, 2012 to 2013",
    "https://sites.google.com/site/yangdingqi/home/foursquare-dataset",
    "research; cite the paper",
    "foursquare-nyc",
    (
        Layout(
            "NYC, TKY",
            (
                headless(
                    "interactions",
                    "dataset_TSMC2014_???.txt",
                    (
                        *("user_id", "item_id", "category_id", "category", "latitude", "longitude"),
                        *("minutes", "timestamp"),
                    ),
                    "\t",
                    ("utf-8", "latin-1"),
                    timestamp_format="%a %b %d %H:%M:%S %z %Y",
                ),
            ),
            "2013-02-17",
        ),
    ),
    notes=(
        "The archive has both cities, and each numbers its users from 1: put one of them into a folder of its own.",
        "A catalogue needs --prepare, since the places stand beside the check-ins; a place has one category there.",
    ),
    preparations=(
        Preparation(
            "items",
            ("dataset_TSMC2014_???.txt",),
            "SELECT venue AS item_id, min(category) AS category, avg(latitude) AS latitude, avg(longitude) AS "
            f"longitude FROM {_ROWS_OF_FOURSQUARE} GROUP BY venue ORDER BY venue",
            "the category and the place of each venue",
            encodings=("utf-8", "latin-1"),
        ),
    ),
)
