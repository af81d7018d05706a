"""Why an item is in no list: what the site's rules, the data and the candidates of the night say of it."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.candidate_lists import LISTS
from recmodels.data import layout
from recmodels.errors import NightrecError
from recmodels.messages import counted
from tasks.export.gone import still_there
from tasks.lookup.catalogue import Catalogue, as_written
from tasks.store.paths import Night

NEW_DAYS = 7
GONE = "The night's working files are gone, so it cannot be told why."


def why_not_shown(night: Night, manifest: dict[str, Any], catalogue: Catalogue | None, index: int | None) -> list[str]:
    """Why nobody gets an item: a sentence each, what alone is enough first.

    Args:
        night: of the export.
        manifest: of the export.
        catalogue: the items of the night, None where its working files are gone.
        index: of the item in it, None where it is not there.
    """
    if catalogue is None:
        return [GONE]
    if index is None:
        return ["It is not in the night's catalogue."]
    rules = manifest.get("rules", {})
    found = []
    if not catalogue.available[index].as_py():
        found.append("It is not available, by `available`, `available_from` or `available_until` of the items.")
    elif is_withdrawn(night, manifest, catalogue.item_ids[index]):
        found.append("It has gone since the night: `nightrec refilter` published the lists without it.")
    if is_excluded(manifest, catalogue.item_ids[index].as_py(), catalogue.item_ids.type):
        found.append("It is excluded by the setting export.excluded.")
    if found:
        return found
    try:
        return [*_of_data(night, rules, index), *_of_candidates(night, index)] or [
            "Candidates list it, and for everybody the champion has other items that it ranks higher."
        ]
    except (OSError, pa.ArrowException):
        return [GONE]


def is_withdrawn(night: Night, manifest: dict[str, Any], item_id: pa.Scalar) -> bool:
    """Whether an export was published without an item that has gone since its night."""
    try:
        return not still_there(night, manifest, pa.array([item_id.as_py()], item_id.type))[0]
    except NightrecError:  # nobody knows any more
        return False


def is_excluded(manifest: dict[str, Any], item_id: int | str, kind: pa.DataType) -> bool:
    """Whether the rules of an export keep an item off the lists by its id."""
    return item_id in [as_written(one, kind) for one in manifest.get("rules", {}).get("excluded", [])]


def _of_data(night: Night, rules: dict[str, Any], index: int) -> list[str]:
    """What the interactions say: too few, too new, too old."""
    row = pq.read_table(
        night.features / "full" / layout.ITEM_FEATURES,
        columns=["interactions", "age_days"],
        filters=pc.field("item_index") == index,
    ).to_pylist()[0]
    count, age, oldest = row["interactions"], row["age_days"], rules.get("max_item_age_days")
    found = []
    if not count:
        found.append("It is new: nobody has done anything with it yet, and most models know items by that alone.")
    elif age is not None and age <= NEW_DAYS:
        found.append(f"It is new: {counted(count, 'interaction')} in {counted(max(1, round(age)), 'day')}.")
    if oldest is not None and age is not None and age > oldest and not rules.get("item_date"):
        found.append(f"It is {age:,.0f} days old, and export.max_item_age_days is {oldest:g}.")
    return found


def _of_candidates(night: Night, index: int) -> list[str]:
    """Which of the night's models have it in a list of the users they were measured on."""
    listed, models = [], sorted(path.parent for path in night.folder.glob(f"toplists/*/{LISTS}"))
    for folder in models:
        rows = pq.read_table(folder / LISTS, columns=["item_index"])["item_index"]
        if count := int(pc.sum(pc.equal(rows, index)).as_py() or 0):
            listed.append(f"{folder.name} ({count:,})")
    if not models:
        return []
    if not listed:
        return [f"None of the night's {len(models)} models has it in a list of the users they were measured on."]
    return [f"In the lists of the users they were measured on, some models have it: {', '.join(listed)}."]
