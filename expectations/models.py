"""The models of Great Expectations: made and asked without copying what nobody changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import wraps
from typing import Any

from pydantic.v1 import main
from pydantic.v1.fields import ModelField

_PLAIN = {type(None), bool, int, str}


@contextmanager
def quickly_inherited() -> Iterator[None]:
    """Let the models of pydantic 1 that the block declares inherit fields by a copy no deeper than what they change.

    Pydantic copies all that fields refer to, down to the parts of their types.
    """
    module: Any = main
    deep = module.smart_deepcopy
    module.smart_deepcopy = inherited
    try:
        yield
    finally:
        module.smart_deepcopy = deep


def inherited(fields: dict[str, ModelField]) -> dict[str, ModelField]:
    """The fields of a model for one that inherits from it: what either changes in its own, the other does not see."""
    done: dict[int, ModelField] = {}
    return {name: _inherited(field, done) for name, field in fields.items()}


def _inherited(field: ModelField, done: dict[int, ModelField]) -> ModelField:
    if id(field) in done:  # fields within a field are also found by what tells them apart
        return done[id(field)]
    new = done[id(field)] = copy(field)
    new.field_info = copy(field.field_info)
    new.field_info.extra = dict(field.field_info.extra)
    new.class_validators = dict(field.class_validators)
    if field.sub_fields is not None:
        new.sub_fields = [_inherited(one, done) for one in field.sub_fields]
    if field.sub_fields_mapping is not None:
        new.sub_fields_mapping = {name: _inherited(one, done) for name, one in field.sub_fields_mapping.items()}
    if field.key_field is not None:
        new.key_field = _inherited(field.key_field, done)
    return new


def configured_once(expectation: Any) -> None:
    """Let expectations of this class and those below look up their arguments in one configuration.

    They make a new one of all that they hold for each argument, forty times for a rule.
    """
    if hasattr(expectation.configuration, "once"):
        return
    make, made = expectation.configuration.fget, dict[int, Any]()

    def looks_up(method: Any) -> Any:
        @wraps(method)
        def looking_up(self: Any, *args: Any, **options: Any) -> Any:
            if id(self) in made:
                return method(self, *args, **options)
            made[id(self)] = make(self)
            try:
                return method(self, *args, **options)
            finally:
                del made[id(self)]

        return looking_up

    class Configuration(property):
        once = True

    expectation.configuration = Configuration(lambda self: made[id(self)] if id(self) in made else make(self))
    for name in ("_get_runtime_kwargs", "_get_success_kwargs"):
        setattr(expectation, name, looks_up(getattr(expectation, name)))


def plainly_identified(id_dict: Any) -> None:
    """Let the dictionaries of this module be told apart as they are where JSON has all that they hold.

    What JSON lacks is looked for in every value, longest of all in None, a hundred times for a rule.
    """
    convert = id_dict.convert_to_json_serializable
    if hasattr(convert, "__wrapped__"):
        return

    @wraps(convert)
    def plain(data: dict[str, Any]) -> Any:
        return data if _PLAIN.issuperset(map(type, data.values())) else convert(data=data)

    id_dict.convert_to_json_serializable = plain
