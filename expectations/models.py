"""The models of Great Expectations: made and asked without copying what nobody changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import lru_cache, wraps
from typing import Any

from pydantic.v1 import main
from pydantic.v1.fields import ModelField

_PLAIN = {type(None), bool, int, str}


@contextmanager
def quickly_inherited() -> Iterator[None]:
    """Let the models of pydantic 1 that the block declares inherit fields by a copy no deeper than what they change.

    Pydantic copies all that fields refer to, down to the parts of their types.
    """
    with patched(main, "smart_deepcopy", inherited):
        yield


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


@contextmanager
def configured_once() -> Iterator[None]:
    """Within the block an expectation is asked for its configuration once, and a configuration for its expectation.

    Great Expectations makes a new configuration of all that an expectation holds for each of its arguments, and a new
    expectation of that for each metric: a hundred for a rule. Nobody changes either while a suite is validated.
    """
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    asked: Any = Expectation.configuration
    revive: Any = ExpectationConfiguration.to_domain_obj
    answers = dict[int, tuple[Any, Any]]()  # by who is asked, who is kept: no other has the number while it is here

    def configuration(expectation: Any) -> Any:
        if id(expectation) not in answers:
            made = asked.fget(expectation)
            answers[id(expectation)], answers[id(made)] = (expectation, made), (made, expectation)
        return answers[id(expectation)][1]

    def to_domain_obj(configuration: Any) -> Any:
        if id(configuration) not in answers:
            answers[id(configuration)] = configuration, revive(configuration)
        return answers[id(configuration)][1]

    with (
        patched(Expectation, "configuration", property(configuration)),
        patched(ExpectationConfiguration, "to_domain_obj", to_domain_obj),
    ):
        yield


@contextmanager
def patched(of: Any, name: str, value: Any) -> Iterator[None]:
    """What `of` calls `name` is `value` in the block."""
    before = getattr(of, name)
    setattr(of, name, value)
    try:
        yield
    finally:
        setattr(of, name, before)


def plainly_identified(id_dict: Any) -> None:
    """Let the dictionaries of this module be told apart once by what they hold, where JSON has all of that.

    Great Expectations makes JSON of the same few dictionaries a hundred times for a rule, and looks for what JSON lacks
    in each of their values, longest of all in None.
    """
    dictionary = id_dict.IDDict
    identify = dictionary.to_id
    if hasattr(identify, "__wrapped__"):
        return

    @lru_cache(1 << 12)
    def identified(*items: tuple[str, Any, type]) -> Any:
        return identify(dictionary((key, value) for key, value, _ in items))

    @wraps(identify)
    def to_id(self: Any, *args: Any, **options: Any) -> Any:
        types = [*map(type, self.values())]
        if args or options or self._id_ignore_keys or not _PLAIN.issuperset(types):
            return identify(self, *args, **options)
        return identified(*zip(self, self.values(), types, strict=True))  # 1 and True are equal, though not the same

    dictionary.to_id = to_id
