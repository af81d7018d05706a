"""The commands about models: listing them, explaining one, and searching its hyper-parameters."""

import json
from pathlib import Path

from recmodels.parameters import parameters_of
from recmodels.registry import kind_of, names
from tests.flows.running import nightrec
from tests.flows.sites import write


def test_the_list_has_every_recommender_with_its_parameters(tmp_path: Path) -> None:
    ran = nightrec("models", cwd=tmp_path)
    assert ran.code == 0, ran.err
    blocks = {block.split()[0]: block for block in ran.out.split("\n\n")[:-1]}
    assert list(blocks) == names()
    for name, block in blocks.items():
        for parameter in parameters_of(kind_of(name)):
            assert f"{parameter.name} =" in " ".join(block.split())


def test_one_model_is_explained_with_ranges_and_the_search(tmp_path: Path) -> None:
    ran = nightrec("models", "ease", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("ease (linear)\n") and (kind_of("ease").__doc__ or "").splitlines()[0] in ran.out
    row = next(line for line in ran.out.splitlines() if line.startswith("regularization"))
    parameter = next(one for one in parameters_of(kind_of("ease")) if one.name == "regularization")
    assert parameter.search is not None and parameter.search.low is not None
    assert str(parameter.default) in row and "≥ 0" in row and f"{parameter.search.low:g} … " in row
    assert parameter.doc in row
    assert ran.out.rstrip().splitlines()[-2] == "[models.ease]"


def test_a_model_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    ran = nightrec("models", "eese", cwd=tmp_path)
    assert (ran.code, ran.err) == (2, "nightrec: Unknown recommender: 'eese'; did you mean 'ease'?\n")


def test_scripts_get_json(tmp_path: Path) -> None:
    found = json.loads(nightrec("models", "als", "--json", cwd=tmp_path).out)
    factors = found["parameters"][0]
    assert (found["name"], found["family"], factors["name"], factors["low"]) == ("als", "factors", "factors", 1)
    assert [one["name"] for one in json.loads(nightrec("models", "--json", cwd=tmp_path).out)] == names()


def test_tuning_needs_a_night(tmp_path: Path) -> None:
    ran = nightrec("tune", "ease", cwd=tmp_path)
    assert (ran.code, "No such night has left features" in " ".join(ran.err.split())) == (2, True)


def test_tuning_writes_over_nothing(tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", "site = 'shop'")
    ran = nightrec("tune", "ease", "--write", "mine.toml", cwd=tmp_path)
    assert (ran.code, "exists already" in ran.err) == (2, True)
    assert (tmp_path / "mine.toml").read_text() == "site = 'shop'"
