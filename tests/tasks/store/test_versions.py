"""What code made something."""

import tomllib
from pathlib import Path

from tasks.store.versions import NIGHTREC_VERSION, code_version


def test_the_code_version_names_the_release_and_the_sources() -> None:
    release, _, sources = code_version().partition("+")
    assert release == NIGHTREC_VERSION
    assert len(sources) == 12


def test_the_release_is_that_of_the_project_file() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == NIGHTREC_VERSION
