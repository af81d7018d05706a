"""Models of pydantic 1 and expectations are as they are without our changes, and keep what is theirs."""

import math
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import pytest
from pydantic.v1 import BaseModel, Field, validator
from pydantic.v1.fields import ModelField

from expectations.models import configured_once, plainly_identified, quickly_inherited
from expectations.runner import RESULT_FORMAT, great_expectations


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Parent(BaseModel):
    pets: dict[str, list[int | str]] = Field({}, description="By name.", unit="none")
    pet: Cat | Dog | None = Field(None, discriminator="kind")
    n: int = 3

    @validator("n")
    @classmethod
    def positive(cls, n: int) -> int:
        assert n > 0, "too few"
        return n


def child(quick: bool) -> Any:
    with quickly_inherited() if quick else nullcontext():

        class Child(Parent):
            class Config:
                fields = {"n": {"alias": "N", "description": "Of the child."}}  # noqa: RUF012

            @validator("n", check_fields=False, allow_reuse=True)
            @classmethod
            def small(cls, n: int) -> int:
                assert n < 10, "too many"
                return n

        return Child


def test_a_model_that_inherits_quickly_is_the_same() -> None:
    quick, usual = child(True), child(False)
    assert quick.schema_json() == usual.schema_json()
    assert repr(quick.__fields__) == repr(usual.__fields__)
    given = {"pets": {"a": [1, "x"]}, "pet": {"kind": "dog"}, "N": 4}
    assert quick(**given).dict() == usual(**given).dict() == {"pets": given["pets"], "pet": given["pet"], "n": 4}
    for wrong, said in (({"N": 0}, "too few"), ({"N": 10}, "too many"), ({"pet": {"kind": "cow"}}, "discriminator")):
        with pytest.raises(ValueError, match=said):
            quick(**wrong)


def test_what_a_model_changes_of_a_field_is_not_changed_in_its_parent() -> None:
    before = Parent.schema_json(), repr(Parent.__fields__)
    theirs = child(True).__fields__
    assert (Parent.schema_json(), repr(Parent.__fields__)) == before
    assert Parent(n=11).n == 11
    for name, field in Parent.__fields__.items():
        assert not shared(field, theirs[name])


def shared(field: ModelField, other: ModelField) -> bool:
    """Whether two fields have a part in common that models change."""
    parts = [(field, other), (field.field_info, other.field_info), (field.class_validators, other.class_validators)]
    within = zip(field.sub_fields or [], other.sub_fields or [], strict=True)
    return any(one is two for one, two in parts) or any(shared(one, two) for one, two in within)


def test_an_expectation_is_configured_once_and_as_it_would_be() -> None:
    gx, formatted = great_expectations(), {"result_format": RESULT_FORMAT}
    rule = gx.expectations.ExpectColumnValuesToBeBetween(column="x", min_value=1)
    usual = rule.configuration
    with (
        configured_once(),
        patch.object(type(rule), "dict", autospec=True, side_effect=type(rule).dict) as asked,
    ):
        configuration = rule.configuration
        assert configuration == usual and configuration.to_domain_obj() is rule
        told = rule._get_runtime_kwargs(formatted)
        assert (told["column"], told["min_value"], told["max_value"]) == ("x", 1, None)
        assert usual.to_domain_obj() is usual.to_domain_obj() is not rule  # who else is configured so is another one
        assert usual.to_domain_obj().configuration == usual
    assert asked.call_count == 2
    rule.min_value = 2
    assert rule._get_runtime_kwargs(formatted)["min_value"] == 2
    assert usual.to_domain_obj() is not usual.to_domain_obj()


def test_what_is_told_apart_plainly_is_told_apart_as_before() -> None:
    great_expectations()
    from great_expectations.core import id_dict
    from great_expectations.core.id_dict import IDDict

    plainly_identified(id_dict)
    plain: dict[str, Any] = {"column": "x", "row_condition": None, "min_value": 1, "strict": True}
    given: list[dict[str, Any]] = [
        plain,
        {**plain, "min_value": True},  # which Python calls equal
        {"column": "x", "mostly": 0.5, "nothing": math.nan},
        {"column": "x", "at": datetime(2026, 1, 2), "of": (1, 2), "n": np.int64(3)},
        {"column": "x", "result_format": RESULT_FORMAT},
        {"column": "x"},
        {},
    ]
    usual = [IDDict.to_id.__wrapped__(IDDict(each)) for each in given]
    assert [IDDict(each).to_id() for each in given] == usual and len(set(usual)) == len(given)
    assert IDDict(plain).to_id(id_ignore_keys={"strict"}) == IDDict.to_id.__wrapped__(IDDict(plain), None, {"strict"})
    with patch.object(id_dict, "json") as asked:
        assert IDDict(plain).to_id() == usual[0]
    assert not asked.dumps.called
