"""Ids are found among all, whichever of them a part of an export has."""

import pyarrow as pa
import pytest

from tasks.export.audit_ids import Ids

ALL = pa.array(["b", None, "\u00e9", "a", "Z", "ba"])


@pytest.mark.parametrize(
    ("column", "places"),
    [
        (["b", "ba", "b"], [0, 5, 0]),
        (["ba", "Z", "\u00e9", "a"], [5, 4, 2, 3]),
        (["aa", "b", None, "zz"], [-1, 0, -1, -1]),
        (["aa"], [-1]),
        (["zzz", "\u00e9\u00e9"], [-1, -1]),
        ([None], [-1]),
        ([], []),
    ],
)
def test_each_value_has_its_place_among_all_ids(column: list[str | None], places: list[int]) -> None:
    assert Ids(ALL).indices(pa.chunked_array([pa.array(column, pa.string())])).tolist() == places
    numbers = {name: place for place, name in enumerate(sorted(filter(None, {*ALL.to_pylist(), *column})))}
    ids, some = (pa.array([numbers.get(name) for name in names], pa.int64()) for names in (ALL.to_pylist(), column))
    assert Ids(ids).indices(pa.chunked_array([some])).tolist() == places
