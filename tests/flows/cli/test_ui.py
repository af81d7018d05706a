"""`nightrec ui`: which store it shows, and to whom; the server itself is not started."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.ui import ui
from flows.operate import pages_server
from flows.operate.access import Access
from flows.ui.site import Site
from recmodels.errors import ConfigError

Shown = list[tuple[Site, Access]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shown:
    found: Shown = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING", raising=False)
    monkeypatch.setattr(pages_server, "show", lambda site, access, say: found.append((site, access)))
    return found


def started(*arguments: str) -> Result:
    return CliRunner().invoke(ui, arguments, catch_exceptions=False)


def test_the_store_of_the_settings_is_shown_or_the_one_that_is_named(shown: Shown, tmp_path: Path) -> None:
    started()
    (tmp_path / "nightrec.toml").write_text('site = "shop"\nstore = "there"\n')
    started()
    started("--store", "elsewhere")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "other.toml").write_text('site = "other"\nstore = "near"\n')
    started("--config", "far/other.toml")
    assert [(site.store.root.relative_to(tmp_path).as_posix(), site.name) for site, _ in shown] == [
        ("store", "site"), ("there", "shop"), ("elsewhere", "shop"), ("far/near", "other"),
    ]  # fmt: skip


def test_strangers_are_kept_out(shown: Shown) -> None:
    started("--port", "4301")
    (_, access) = shown[0]
    assert (access.host, access.port, access.auth, access.url) == ("127.0.0.1", 4301, None, "http://127.0.0.1:4301")
    with pytest.raises(ConfigError, match="opens the server to other machines: give it a password first"):
        started("--host", "0.0.0.0")
