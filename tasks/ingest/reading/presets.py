"""Presets: what is known of public data sets, so that their untouched files can be given by name alone.

Whatever the configuration says itself wins over the preset.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recmodels.errors import ConfigError
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.packing import extension

Settings = dict[str, Any]

_MOVIELENS_NAMES: dict[str, dict[str, str | list[str]]] = {
    "interactions": {"user_id": ["userId", "user_id"], "item_id": ["movieId", "movie_id", "item_id"]},
    "items": {"item_id": ["movieId", "movie_id", "item_id"]},
    "users": {"user_id": ["userId", "user_id"]},
    "tags": {"item_id": ["movieId", "movie_id", "item_id"]},
}
_MOVIELENS_FILES = {"interactions": "ratings", "items": "movies", "tags": "tags", "users": "users"}
_MOVIELENS_DAT = {
    "interactions": ["user_id", "item_id", "rating", "timestamp"],
    "items": ["item_id", "title", "genres"],
    "tags": ["user_id", "item_id", "tag", "timestamp"],
    "users": ["user_id", "gender", "age", "occupation", "zip"],
}
_AMAZON_NAMES: dict[str, dict[str, str | list[str]]] = {
    "interactions": {
        "user_id": ["user_id", "reviewerID"],
        "item_id": ["parent_asin", "asin"],
        "rating": ["rating", "overall"],
        "timestamp": ["timestamp", "unixReviewTime"],
    },
    "items": {"item_id": ["parent_asin", "asin"]},
}


def apply(name: str, inputs: Inputs) -> Inputs:
    """The inputs with what a preset knows; a folder is replaced by its files, and adds the tables it has.

    `movielens`: `ratings`, `movies`, `tags` and `users`, as `.csv` or as `.dat` ('::' between columns,
    latin-1, no header), also gzipped. `amazon`: reviews as JSON lines, of 2014 and 2023, and `meta_*` items.

    Raises:
        ConfigError: the name is unknown, or a folder has no interactions.
    """
    if name not in _PRESETS:
        near = get_close_matches(name, _PRESETS, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(sorted(_PRESETS))}."
        raise ConfigError(f"There is no preset '{name}'; {hint}")
    return _PRESETS[name](inputs)


def _movielens(inputs: Inputs) -> Inputs:
    tables = inputs.tables()
    folder = Path(inputs.interactions.path).expanduser()
    if folder.is_dir():
        endings = (".csv", ".dat", ".csv.gz", ".dat.gz")
        for table, stem in _MOVIELENS_FILES.items():
            found = next((file for e in endings if (file := folder / f"{stem}{e}").is_file()), None)
            if table == "interactions" and found is None:
                raise _without(folder, "ratings.csv or ratings.dat")
            if found and (table == "interactions" or table not in tables):
                tables[table] = _with(tables.get(table), {"path": str(found)})
    return Inputs(**{table: _with(given, _movielens_settings(table, given)) for table, given in tables.items()})


def _movielens_settings(table: str, given: TableInput) -> Settings:
    if extension(Path(given.path)) != ".dat":
        return {"columns": _MOVIELENS_NAMES[table] | given.columns}
    dat: Settings = {"header": _MOVIELENS_DAT[table], "delimiter": "::", "quote": None, "encoding": "latin-1"}
    return {"format": "csv"} | {k: v for k, v in dat.items() if k not in given.model_fields_set}


def _amazon(inputs: Inputs) -> Inputs:
    tables = inputs.tables()
    folder = Path(inputs.interactions.path).expanduser()
    if folder.is_dir():
        files = sorted(file for file in folder.iterdir() if extension(file) in (".json", ".jsonl"))
        reviews = [file for file in files if not file.name.startswith("meta_")]
        items = [file for file in files if file.name.startswith("meta_")]
        if len(reviews) != 1:
            raise _without(folder, "one file of reviews (.json or .jsonl, also .gz), the name not starting with meta_")
        tables["interactions"] = _with(inputs.interactions, {"path": str(reviews[0])})
        if items and "items" not in tables:
            tables["items"] = TableInput(path=str(folder / "meta_*"))
    return Inputs(
        **{
            table: _with(given, {"columns": _AMAZON_NAMES.get(table, {}) | given.columns})
            for table, given in tables.items()
        }
    )


def _with(given: TableInput | None, settings: Settings) -> TableInput:
    return TableInput(**({} if given is None else given.model_dump(exclude_unset=True)) | settings)


def _without(folder: Path, wanted: str) -> ConfigError:
    there = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
    return ConfigError(f"The folder '{folder}' should have {wanted} (there is {there}); name the file itself.")


_PRESETS: dict[str, Callable[[Inputs], Inputs]] = {"movielens": _movielens, "amazon": _amazon}
