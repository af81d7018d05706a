"""The template that `nightrec init` writes: every setting, with its default and what it is."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flows.settings.site import NightConfig, checked, default_models, load
from flows.settings.template import template
from recmodels.parameters import parameters_of
from recmodels.registry import kind_of
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.train.settings import Candidate
from tests.flows.running import nightrec
from tests.flows.sites import write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uncommented() -> dict[str, Any]:
    """The template with every setting switched on."""
    lines = [line.removeprefix("# ") for line in template().splitlines()]
    return tomllib.loads("\n".join(line for line in lines if line.startswith("[") or " = " in line.split("#")[0]))


def test_the_template_as_written_means_the_defaults(here: Path) -> None:
    ran = nightrec("init", cwd=here)
    assert ran.code == 0 and "Wrote nightrec.toml" in ran.out
    assert load(None).model_dump() == NightConfig().model_dump()


def test_the_template_is_never_written_over_a_file(here: Path) -> None:
    write(here / "nightrec.toml", "# mine\n")
    ran = nightrec("init", cwd=here)
    assert ran.code == 2 and "nightrec.toml exists already" in ran.err
    assert (here / "nightrec.toml").read_text() == "# mine\n"


def test_the_template_shows_the_true_defaults() -> None:
    content = uncommented()
    content.pop("inputs")
    defaults = NightConfig()
    shown = checked(content, "the template")
    assert shown == defaults
    assert list(shown.models) == list(default_models())


def fields(kind: type[BaseModel], section: str) -> list[tuple[str, str, str]]:
    """The settings of a table, and of those within it."""
    found = []
    for name, field in kind.model_fields.items():
        table = isinstance(field.default, BaseModel)
        found += (
            fields(type(field.default), f"{section}.{name}") if table else [(section, name, field.description or "")]
        )
    return found


SETTINGS = [
    setting
    for name, field in NightConfig.model_fields.items()
    for setting in (
        fields(type(field.default), name)
        if isinstance(field.default, BaseModel)
        else [("", name, field.description or "")]
    )
    if setting[1] not in ("inputs", "models")
]


@pytest.mark.parametrize(("section", "name", "description"), SETTINGS, ids=[f"{s}.{n}" for s, n, _ in SETTINGS])
def test_every_setting_is_in_the_template_with_what_it_is(section: str, name: str, description: str) -> None:
    text = template()
    if section:
        text = text.partition(f"\n# [{section}]\n")[2].partition("\n# [")[0]
    line = next(line for line in text.splitlines() if line.startswith(f"# {name} ="))
    assert description, f"{section}.{name} has no description"
    assert description in line


def test_every_setting_of_a_model_and_of_an_input_has_a_description() -> None:
    for kind in (Candidate, Inputs, TableInput):
        assert [name for _, name, description in fields(kind, "") if not description] == []


def test_the_template_names_what_a_model_and_a_table_may_say() -> None:
    lines = template().splitlines()
    for kind in (Candidate, TableInput):
        for name, field in kind.model_fields.items():
            if not field.is_required():
                line = next(line for line in lines if line.startswith(f"#   # {name} = "))
                assert field.description and field.description in line


def test_the_template_names_the_parameters_of_the_models() -> None:
    text = " ".join(template().replace("#   #", "").split())
    for name, candidate in default_models().items():
        recommender = candidate.recommender or name
        below = text.partition(f"# [models.{name}] Its parameters (`nightrec models {recommender}` explains them): ")[2]
        for parameter in parameters_of(kind_of(recommender)):
            assert f"{parameter.name} = " in below.partition("# [models.")[0]
