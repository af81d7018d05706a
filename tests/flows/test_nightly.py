"""How the run of a night ends in Prefect, and what a backfill says of it."""

from prefect import State

from flows.backfill import how_it_ended
from flows.nightly import ending

GATE = {"winner": "als", "reason": "best", "verdict": "unmeasured"}


def test_a_night_that_is_no_good_one_ends_in_a_state_of_its_own() -> None:
    record = {"status": "published", "gate": GATE | {"warnings": ["The champion crashed.", "4 of 6 failed."]}}
    state = ending(record)
    assert isinstance(state, State) and state.is_completed()
    assert (state.name, state.message) == ("Degraded", "The champion crashed. 4 of 6 failed.")
    assert how_it_ended(record) == "published; The champion crashed.; 4 of 6 failed."


def test_an_ordinary_night_ends_with_its_record() -> None:
    for record in ({"status": "published", "gate": GATE}, {"status": "compared"}):
        assert ending(record) is record
        assert how_it_ended(record) == record["status"]
