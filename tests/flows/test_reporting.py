"""The report of a night, written again by the deployed flow."""

from datetime import date
from pathlib import Path

import pytest

from flows.reporting import report
from recmodels.errors import NightrecError
from tasks.store.files import write_json
from tasks.store.paths import Store

DAY = date(2026, 3, 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with two nights that failed."""
    found = Store(tmp_path / "store")
    for day in (date(2026, 3, 1), DAY):
        write_json(found.night(day).summary, {"status": "failed", "reason": f"no data on {day}"})
    return found


@pytest.mark.usefixtures("prefect_server")
def test_the_deployed_flow_writes_it_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREC_STORE", str(store.root))
    monkeypatch.delenv("NIGHTREC_CONFIG", raising=False)
    monkeypatch.chdir(store.root.parent)
    assert report() == str(store.report(DAY))
    assert store.report(DAY).exists()
    monkeypatch.setenv("NIGHTREC_STORE", str(store.root / "none"))
    with pytest.raises(NightrecError, match="No night has run"):
        report()
