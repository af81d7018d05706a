"""Hyper-parameters are declared once, as annotations, and checked before anything is read or trained."""

import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from annotated_types import Ge, Lt

from recmodels import registry
from recmodels.errors import ConfigError
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.parameters import Renamed, Search, check, current, parameters_of
from recmodels.testing import small_site

ROOT = Path(__file__).parents[2]


@dataclass
class Model:
    """What a model's declaration looks like."""

    renamed: ClassVar[dict[str, Renamed]] = {"width": "size", "unseen": lambda value: {"mask": value == "yes"}}
    moved: ClassVar[dict[str, str]] = {"minutes": "leave it out"}

    size: Annotated[int, Ge(1), Search(8, 64, log=True)] = 16
    """Length of the
    vectors."""
    rate: Annotated[float, Ge(0), Lt(1)] | None = None
    kind: Literal["dot", "cosine"] = "dot"
    """Which product."""
    mask: bool = False


@pytest.mark.parametrize(
    ("name", "params", "sentence"),
    [
        ("als", {"factors": "128"}, "als: factors is '128'; give a whole number of at least 1."),
        ("als", {"factors": True}, "als: factors is True; give a whole number of at least 1."),
        ("als", {"factors": 12.0}, "als: factors is 12.0; give a whole number of at least 1."),
        ("als", {"iterations": 0}, "als: iterations is 0; give a whole number of at least 1."),
        ("als", {"regularization": float("nan")}, "als: regularization is nan; give a number above 0."),
        ("als", {"regularization": float("inf")}, "als: regularization is inf; give a number above 0."),
        ("als", {"regularization": True}, "als: regularization is True; give a number above 0."),
        ("item_knn", {"neighbors": 0}, "item_knn: neighbors is 0; give a whole number of at least 1."),
        ("item_knn", {"b": 1.5}, "item_knn: b is 1.5; give a number of at least 0 and at most 1."),
        (
            "item_knn",
            {"weighting": "cosin"},
            "item_knn: weighting is 'cosin'; did you mean 'cosine'? "
            "There are: cosine, jaccard, tfidf, bm25, pearson, adjusted_cosine.",
        ),
        (
            "ease",
            {"method": "exakt"},
            "ease: method is 'exakt'; did you mean 'exact'? There are: auto, exact, approximate.",
        ),
        ("popularity", {"half_life_days": -3}, "popularity: half_life_days is -3; give a number above 0, or none."),
        ("graph_filter", {"rank": 0}, "graph_filter: rank is 0; give a whole number of at least 1."),
        ("hybrid", {"content": 1}, "hybrid: content is 1; give true or false."),
        ("ensemble", {"members": "als"}, "ensemble: members is 'als'; give list[str], or none."),
    ],
)
def test_a_value_that_is_not_legal_is_refused_in_one_sentence(name: str, params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        registry.create(name, params)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("als", {"regularization": 1}),  # a whole number is a number
        ("als", {"factors": np.int64(8), "regularization": np.float32(0.5)}),
        ("popularity", {"days": None}),
        ("ensemble", {"members": ["als", "ease"], "recipes": {"als": {"params": {}}}}),
    ],
)
def test_a_legal_value_is_taken_as_it_is(name: str, params: dict[str, Any]) -> None:
    assert {key: value for key, value in asdict(registry.create(name, params)).items() if key in params} == params


def test_a_model_made_in_python_is_checked_when_it_is_fitted() -> None:
    with pytest.raises(ConfigError, match="ItemKNN: weighting is 'cosin'; did you mean 'cosine'"):
        ItemKNN(weighting="cosin").fit(small_site())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ALS: iterations is 0; give a whole number of at least 1"):
        ALS(iterations=0).fit(small_site())
    with pytest.raises(ConfigError, match="EASE: method is 'exakt'; did you mean 'exact'"):
        EASE(method="exakt").fit(small_site())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", registry.names())
def test_defaults_are_legal_and_every_parameter_is_described(name: str) -> None:
    kind = registry.kind_of(name)
    declared = parameters_of(kind)
    assert [parameter.name for parameter in declared] == [field.name for field in fields(kind)]
    check(kind, {parameter.name: parameter.default for parameter in declared}, name)
    for parameter in declared:
        for limit, beyond in ((parameter.low, -1), (parameter.high, 1)):
            if limit is not None:
                with pytest.raises(ConfigError):
                    check(kind, {parameter.name: int(limit) + beyond}, name)


def test_a_parameter_has_what_its_annotation_and_the_text_below_say() -> None:
    size, rate, kind, mask = parameters_of(Model)
    assert (size.type, size.default, size.low, size.above_low, size.high) == ("int", 16, 1, False, None)
    assert (size.doc, size.search) == ("Length of the vectors.", Search(8, 64, log=True))
    assert (rate.type, rate.optional, rate.below_high, rate.doc) == ("float | None", True, True, "")
    assert rate.legal == "a number of at least 0 and below 1, or none"
    assert (kind.choices, kind.doc, kind.legal) == (("dot", "cosine"), "Which product.", "one of dot, cosine")
    assert (mask.legal, mask.choices) == ("true or false", ())


def test_former_names_are_understood_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    assert current(Model, {"width": 3, "unseen": "yes", "minutes": 5}, "model") == {"size": 3, "mask": True}
    assert [record.getMessage() for record in caplog.records if "mask" not in record.getMessage()] == [
        "model: width is called size now; write size = 3 instead.",
        "model: minutes is no hyper-parameter any more, but an option of each training; leave it out.",
    ]
    caplog.clear()
    assert current(Model, {"width": 4, "minutes": 9}, "stored", note=False) == {"size": 4}
    assert not caplog.records
    with pytest.raises(ConfigError, match="model: width is called size now, and both are given; leave width out"):
        current(Model, {"width": 3, "size": 4}, "model")


def test_a_subclass_says_what_it_has_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: dict[str, Renamed] = {"lambda": "regularization"}
    monkeypatch.setattr(EASE, "renamed", renamed)
    assert registry.create("ease", {"lambda": 7.0}) == EASE(regularization=7.0)
    with pytest.raises(ConfigError, match=r"ease: regularization is -1\.0; give a number of at least 0"):
        registry.create("ease", {"lambda": -1.0})


@pytest.mark.slow
def test_checking_the_settings_of_every_model_loads_nothing_heavy() -> None:
    code = """
import sys
from recmodels import registry
for name in registry.names():
    registry.create(name)
heavy = {"torch", "numba", "scipy.stats", "pandas", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
