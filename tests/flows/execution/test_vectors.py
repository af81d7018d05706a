"""The model whose vectors are published is fitted beside the winner, and costs no night where it cannot be."""

from pathlib import Path

import pytest

from flows.execution.training import jobs_for
from flows.execution.vectors import fit_vectors
from flows.settings.site import NightConfig, checked
from recmodels.errors import ConfigError
from tasks.export.settings import ExportSettings
from tasks.store.paths import Store
from tests.flows.execution.test_arms import CANDIDATES, comparison
from tests.flows.execution.test_training import Recorder
from tests.flows.sites import DAY


def fitted(root: Path, wanted: str | None, failing: str = "", beside: tuple[str, ...] = ()) -> list[str]:
    """The folders of what was fitted, where item_knn has won."""
    night, executor = Store(root).night(DAY), Recorder(failing, 99)
    jobs = jobs_for(night, NightConfig(), CANDIDATES, fresh=True, lease="mine")
    fit_vectors(executor, jobs, comparison(), ExportSettings(vectors=wanted), beside)
    assert all((job.split, job.concurrency, job.lease) == ("full", 1, "mine") for job in executor.refitted)
    return [str(job.fitted(night).relative_to(night.folder)) for job in executor.refitted]


def test_another_than_the_winner_is_fitted_in_a_folder_of_its_own(tmp_path: Path) -> None:
    assert fitted(tmp_path, "als") == ["arm_models/als"]


@pytest.mark.parametrize(
    ("wanted", "beside"), [(None, ()), ("champion", ()), ("item_knn", ()), ("als", ("als",)), ("left_out", ())]
)
def test_nothing_is_fitted_that_is_there_or_that_nobody_wants(
    tmp_path: Path, wanted: str | None, beside: tuple[str, ...]
) -> None:
    assert fitted(tmp_path, wanted, beside=beside) == []


def test_one_that_cannot_be_fitted_is_tried_twice_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert fitted(tmp_path, "als", failing="als") == ["arm_models/als", "arm_models/als"]
    assert "vectors als: could not be fitted, so no vectors are published" in caplog.text


@pytest.mark.parametrize(
    ("vectors", "why"),
    [
        ("alz", "vectors is 'alz', which is neither champion nor an enabled candidate: popularity, "),
        ("bpr", "vectors is 'bpr', which is neither champion nor an enabled candidate: popularity, "),
        ("item_knn", "vectors is item_knn, which does not score by vectors; als, for one, does"),
    ],
)
def test_a_name_that_gives_no_vectors_is_refused_before_anything_begins(vectors: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^nightrec.toml: .*{why}"):
        checked({"export": {"vectors": vectors}}, "nightrec.toml")


def test_it_is_trained_whatever_models_are_asked_for() -> None:
    config = checked({"export": {"vectors": "als"}}, "nightrec.toml")
    assert list(config.only(["ease"]).models) == ["popularity", "ease", "als"]
    assert list(checked({"export": {"vectors": "champion"}}, "nightrec.toml").only(["ease"]).models) == [
        "popularity",
        "ease",
    ]
