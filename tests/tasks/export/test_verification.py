"""Whether an export is still what was published."""

from pathlib import Path

import pytest

from expectations.errors import ExportRefused
from tasks.export.verification import verified
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish, with_manifests
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    publish(night)
    return night


def test_an_export_is_verified_until_a_file_has_changed(night: Night) -> None:
    assert verified(night.store.root, None).sentence.endswith("keep the contract.")
    part = night.store.export(str(RUN_DATE)) / "popular" / "part-00000.parquet"
    part.write_bytes(part.read_bytes() + b" ")
    with pytest.raises(ExportRefused, match=r"popular/part-00000\.parquet"):
        verified(night.store.root, RUN_DATE)


def test_lists_are_not_held_against_features_that_they_were_not_made_of(night: Night) -> None:
    with_manifests(night)
    assert verified(night.store.root, None).unchecked is None
    with_manifests(night, prepared="another")
    assert "The night was run again since, or somebody was forgotten" in verified(night.store.root, None).sentence


@pytest.mark.slow
def test_ids_that_are_hashed_by_another_key_are_said_to_be(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "a" * 16)
    publish(night, hash_key_env="SHOP_KEY")
    assert verified(night.store.root, None).unchecked is None
    monkeypatch.setenv("SHOP_KEY", "b" * 16)
    assert "hashed by another key than that in SHOP_KEY" in verified(night.store.root, None).sentence
