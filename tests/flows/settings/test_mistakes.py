"""Mistakes in settings, in a sentence."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.settings.mistakes import sentence
from tasks.ingest.reading.inputs import TableInput


class Oven(BaseModel):
    model_config = ConfigDict(extra="forbid")
    degrees: int = Field(180, le=250)


class Kitchen(BaseModel):
    model_config = ConfigDict(extra="forbid")
    chef: str
    oven: Oven = Oven()


MANY = type("Many", (BaseModel,), {"__annotations__": {f"shelf_number_{n}": int for n in range(40)}} | {
    "model_config": ConfigDict(extra="forbid"), **{f"shelf_number_{n}": 0 for n in range(40)},
})  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "given", "says"),
    [
        (Kitchen, {}, "chef is missing; give it a value."),
        (TableInput, {"path": "a", "columns": {"user_id": 5}}, "columns.user_id = 5: input should be a valid string."),
        (Kitchen, {"cheff": "Ada"}, "unknown key cheff; did you mean chef?"),
        (Kitchen, {"chef": "Ada", "oven": {"zzz": 1}}, "unknown key oven.zzz; known here: degrees."),
        (
            Kitchen,
            {"chef": "Ada", "oven": []},
            "oven = this list: input should be a valid dictionary or instance of Oven.",
        ),
        (
            Kitchen,
            {"chef": "Ada", "oven": {"degrees": 900}},
            "oven.degrees = 900: input should be less than or equal to 250.",
        ),
        (
            Kitchen,
            {"chef": "Ada", "oven": "https://shop/key?token=s3cret"},
            "oven = 'https://shop/key': input should be a valid dictionary or instance of Oven.",
        ),
    ],
)
def test_the_first_mistake_is_said(settings: type[BaseModel], given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(given)
    assert sentence(caught.value, settings) == says


def test_of_many_keys_as_many_are_named_as_a_sentence_holds() -> None:
    with pytest.raises(ValidationError) as caught:
        MANY.model_validate({"zzz": 1})
    said = sentence(caught.value, MANY)
    assert said.startswith("unknown key zzz; known here: shelf_number_0, shelf_number_1, ") and len(said) < 260
    named = said.count("shelf_number_")
    assert said.endswith(f"shelf_number_{named - 1} and {40 - named} more.")
