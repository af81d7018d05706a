"""The lock taken apart: pins, the part that an image needs, hashes of two builds of one version."""

import hashlib
import json
from pathlib import Path

import pytest

from deployments import lock

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
TEXT = f"ruamel-yaml==0.19 \\\n    --hash={A}\ntorch==2.13.0 \\\n    --hash={B} \\\n    --hash={C}\n"
FOUND = {("ruamel-yaml", "0.19"): {A}, ("torch", "2.13.0"): {B, C}}


def test_a_lock_is_read_and_written_as_it_was() -> None:
    assert lock.entries(TEXT) == FOUND
    assert lock.text_of(FOUND) == TEXT
    with pytest.raises(ValueError, match="no entry of a lock: torch>=2"):
        lock.entries("torch>=2\n")


def test_an_image_gets_the_entries_of_what_pip_would_install() -> None:
    report = {"install": [{"metadata": {"name": "Ruamel.YAML"}}, {"metadata": {"name": "nvidia-cublas"}}]}
    assert lock.only(FOUND, json.dumps(report)) == {("ruamel-yaml", "0.19"): {A}}


def test_a_file_that_was_fetched_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "torch.whl"
    file.write_bytes(b"a wheel")
    hashed = f"sha256:{hashlib.sha256(b'a wheel').hexdigest()}"
    lock.check(file, {("torch", "2.13.0"): {A, hashed}})
    with pytest.raises(SystemExit, match=r"torch\.whl is none of the files in requirements\.lock"):
        lock.check(file, FOUND)


def test_a_new_lock_keeps_the_other_build_of_the_same_version() -> None:
    new = {("ruamel-yaml", "0.20"): {C}, ("torch", "2.13.0"): {B}}
    assert lock.merge(new, FOUND) == {("ruamel-yaml", "0.20"): {C}, ("torch", "2.13.0"): {B, C}}


def test_pins_are_constraints_without_hashes() -> None:
    pins = lock.main("pins").splitlines()
    assert all(line.count("==") == 1 and " " not in line for line in pins)
    assert "setuptools" in {line.partition("==")[0] for line in pins}
