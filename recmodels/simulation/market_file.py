"""A market as it is before the first night, as a file: fitting one takes long, and each policy begins with the same."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from recmodels.errors import NightrecError
from recmodels.simulation.behavior import Choices
from recmodels.simulation.fit_check import Fit
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.population import Items, Users

PARTS: dict[str, type] = {"users": Users, "items": Items, "past": Choices}
ABOUT = "about"


def save(market: Market, path: Path) -> None:
    """Write a market that no night has changed yet; a file that is there is replaced as a whole."""
    parts = {"users": market.users, "items": market.items, "past": market.history()}
    arrays = {
        f"{part}.{field.name}": _as_array(getattr(value, field.name))
        for part, value in parts.items()
        for field in fields(PARTS[part])
    }
    about = {"settings": asdict(market.settings), "key": market.key, "fit": market.fit and asdict(market.fit)}
    unfinished = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays, **{ABOUT: _as_array([json.dumps(about)])})  # type: ignore[arg-type]
    unfinished.replace(path)


def load(path: Path) -> Market:
    """The market that `save` has written.

    Raises:
        NightrecError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
        about = json.loads(_as_texts(found[ABOUT])[0])
        parts = {
            part: kind(**{field.name: _given(found[f"{part}.{field.name}"], field.name) for field in fields(kind)})
            for part, kind in PARTS.items()
        }
        market = Market(MarketSettings(**about["settings"]), key=about["key"], **parts)
        market.fit = about["fit"] and Fit(**about["fit"])
        return market
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        why = f"{path} is damaged ({type(error).__name__}): begin the simulation again with --fresh."
        raise NightrecError(why) from error


def _as_array(value: Any) -> "np.ndarray":
    """An array as it is; texts as bytes of JSON."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8) if isinstance(value, list) else np.asarray(value)


def _as_texts(array: "np.ndarray") -> list[str]:
    texts: list[str] = json.loads(array.tobytes())
    return texts


def _given(array: "np.ndarray", name: str) -> "np.ndarray | list[str]":
    return _as_texts(array) if name == "texts" else array
