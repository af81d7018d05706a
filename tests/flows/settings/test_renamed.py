"""Settings that were renamed: the old key still works, and says so."""

import logging
from pathlib import Path

import pytest

from flows.settings import renamed
from flows.settings.renamed import with_new_names
from flows.settings.site import load
from recmodels.errors import ConfigError
from tests.flows.sites import write

NAMES = {"evaluation.windows": "evaluation.backtests", "keep": "retention", "models.*.gpu": "models.*.gpus"}


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renamed, "_noted", set())


def test_old_keys_are_replaced_by_new_ones() -> None:
    settings = {
        "evaluation": {"windows": 3, "k": 5},
        "keep": {"nights": 7},
        "models": {"als": {"gpu": 2}, "ease": {}},
    }
    assert with_new_names(settings, "site.toml", NAMES) == {
        "evaluation": {"backtests": 3, "k": 5},
        "retention": {"nights": 7},
        "models": {"als": {"gpus": 2}, "ease": {}},
    }
    assert settings["evaluation"] == {"windows": 3, "k": 5}, "the settings that were given stay as they are"


def test_a_key_may_move_to_another_table() -> None:
    assert with_new_names({"gate": {"k": 5}}, "", {"gate.k": "evaluation.k"}) == {"gate": {}, "evaluation": {"k": 5}}


def test_an_old_key_is_noted_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with_new_names({"evaluation": {"windows": 3}}, "site.toml", NAMES)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "site.toml: evaluation.windows is now evaluation.backtests; the old name goes with the next release"
    ]


def test_a_setting_under_both_names_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.windows is the old name of evaluation\.backtests"):
        with_new_names({"evaluation": {"windows": 3, "backtests": 3}}, "site.toml", NAMES)


@pytest.mark.parametrize("odd", [{"evaluation": 3}, {"models": []}, {"models": {"als": 1}}, {}])
def test_what_is_no_table_is_left_to_validation(odd: dict[str, object]) -> None:
    assert with_new_names(odd, "site.toml", NAMES) == odd


def test_the_file_is_read_with_the_old_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(renamed.RENAMED, "evaluation.top", "evaluation.k")
    write(tmp_path / "nightrec.toml", "[evaluation]\ntop = 7\n")
    assert load(tmp_path / "nightrec.toml").evaluation.k == 7


def test_no_new_name_is_an_old_one() -> None:
    assert not set(renamed.RENAMED) & set(renamed.RENAMED.values())


def test_an_embedder_is_an_encoder_now(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "nightrec.toml", '[features]\nembedder = "models/small"\nembedder_share = 0.3\n')
    encoder = load(tmp_path / "nightrec.toml").features.encoder
    assert encoder is not None
    assert (encoder.kind, encoder.model) == ("sentence-transformers", str(tmp_path / "models" / "small"))
    assert "features.embedder_share is not read any more" in caplog.text
