"""Images are pinned by what a registry says of them, wherever they are named."""

import subprocess
from pathlib import Path

import pytest

from deployments import pins

DIGEST = f"sha256:{'1a' * 32}"


def test_every_image_that_is_named_gets_its_digest_and_keeps_the_rest_of_its_line() -> None:
    for before, after in (
        ("ARG PYTHON_IMAGE=python:3.12-slim-bookworm\n", f"ARG PYTHON_IMAGE=python:3.12-slim-bookworm@{DIGEST}\n"),
        (
            '    image: "${NIGHTREC_POSTGRES_IMAGE:-postgres:17-bookworm}"\n',
            f'    image: "${{NIGHTREC_POSTGRES_IMAGE:-postgres:17-bookworm@{DIGEST}}}"\n',
        ),
        (f"  image: postgres:17-bookworm@sha256:{'0' * 64} # old\n", f"  image: postgres:17-bookworm@{DIGEST} # old\n"),
        ("the server postgres:5432 is asked\n", "the server postgres:5432 is asked\n"),
        ("          image: nightrec:0.2.0\n", "          image: nightrec:0.2.0\n"),
    ):
        assert pins.pin(before, lambda image: DIGEST) == after
        assert pins.pin(after, lambda image: DIGEST) == after and not pins.unpinned(after)


def test_each_image_is_found_where_it_is_named(tmp_path: Path) -> None:
    named = {str(file.relative_to(pins.FOLDER)): pins.unpinned(pins.pin(file.read_text(), lambda _: DIGEST))
             for file in pins.files()}  # fmt: skip
    assert not any(named.values())
    found = {name for name in named if DIGEST in pins.pin((pins.FOLDER / name).read_text(), lambda _: DIGEST)}
    assert found == {
        "Dockerfile",
        "compose.yaml",
        ".env.example",
        "kubernetes/base/postgres.yaml",
        "helm/nightrec/values.yaml",
    }


def test_where_no_registry_answers_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "dial tcp: lookup registry: no such host")
    monkeypatch.setattr(pins.subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(SystemExit, match="The digest of postgres:17 could not be asked for: dial tcp"):
        pins.ask("postgres:17")
