"""All presets, by name."""

from __future__ import annotations

from difflib import get_close_matches

from recmodels.errors import ConfigError
from tasks.ingest.reading.presets import media, places, shops
from tasks.ingest.reading.presets.layouts import Preset

PRESETS = {
    preset.name: preset
    for preset in (
        media.MOVIELENS,
        shops.AMAZON,
        shops.RETAILROCKET,
        shops.YOOCHOOSE,
        shops.HM,
        shops.TAOBAO,
        shops.INSTACART,
        media.LASTFM,
        media.STEAM,
        media.BOOKCROSSING,
        media.MIND,
        places.YELP,
        places.GOWALLA,
        places.FOURSQUARE,
    )
}


def preset_of(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PRESETS:
        near = get_close_matches(name.lower(), PRESETS, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(sorted(PRESETS))}."
        raise ConfigError(f"There is no preset '{name}'; {hint} `nightrec presets` lists them.")
    return PRESETS[name]
