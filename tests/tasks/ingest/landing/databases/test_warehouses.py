"""Snowflake and BigQuery, by what their drivers promise: a fake of each, which DuckDB answers for."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases import warehouses
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import TableInput

manager = pytest.importorskip("adbc_driver_manager", reason="adbc-driver-manager is not installed")
CUTOFF = datetime(2026, 1, 3, tzinfo=UTC)


class Driver:
    """A module `dbapi` whose connections DuckDB answers for; it remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.statements: list[str] = []
        self.error: str | None = None
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'")
        for zone, kind in (("NTZ", "TIMESTAMP"), ("TZ", "TIMESTAMPTZ")):
            self.database.execute(f"CREATE MACRO TO_TIMESTAMP_{zone}(t) AS CAST(replace(t, ' +', '+') AS {kind})")
        self.database.execute(
            "CREATE TABLE EVENTS AS SELECT g AS user_id, 'i' || g AS item_id, 0 AS unneeded, "
            "TIMESTAMPTZ '2026-01-01 00:00:00+00' + g * INTERVAL 1 DAY AS timestamp, "
            "TIMESTAMP '2026-01-01' + g * INTERVAL 1 DAY AS written FROM range(4) r(g)"
        )

    def connect(self, *given: Any, **named: Any) -> "Driver":
        self.calls.append((*given, *named.values()))
        if self.error:
            raise manager.OperationalError(self.error, status_code=manager.AdbcStatusCode.IO)
        return self

    def cursor(self) -> "Driver":
        return self

    def execute(self, sql: str) -> None:
        self.statements.append(sql)
        try:
            self.found = self.database.sql(sql.replace("`", '"'))
        except duckdb.Error as error:
            said = f"Not found: Table {error}" if "does not exist" in str(error) else "Syntax error: Unexpected"
            raise manager.ProgrammingError(said, status_code=manager.AdbcStatusCode.NOT_FOUND) from None

    def fetch_record_batch(self) -> pa.RecordBatchReader:
        return self.found.to_arrow_reader(2)

    def close(self) -> None:
        pass


@pytest.fixture(params=["snowflake", "bigquery"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def driver(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    module = ModuleType(f"adbc_driver_{kind}")
    module.dbapi = driver = Driver()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, f"{module.__name__}.dbapi", driver)  # type: ignore[arg-type]
    yield driver
    driver.database.close()


ADDRESS = {
    "snowflake": "snowflake://reader@account/shop/public?warehouse=small",
    "bigquery": "bigquery://project/shop",
}


def rows(folder: Path, kind: str, **settings: Any) -> pa.Table:
    table = TableInput(path=ADDRESS[kind], **({"table": "EVENTS"} | settings))
    return pq.read_table(land_table("interactions", table, folder, CUTOFF)[0].path)


def test_needed_columns_of_rows_before_the_cutoff_are_asked_for(
    tmp_path: Path, kind: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "a secret")
    found = rows(tmp_path, kind)
    assert found.schema.names == ["user_id", "item_id", "timestamp"]
    assert found["user_id"].to_pylist() == [0, 1]
    high = "adbc.snowflake.sql.client_option.use_high_precision"
    assert driver.calls == [
        ("reader@account/shop/public?warehouse=small", {high: "disabled", "password": "a secret"})
        if kind == "snowflake"
        else ({"adbc.bigquery.sql.project_id": "project", "adbc.bigquery.sql.dataset_id": "shop"},)
    ]


def test_a_watermark_without_a_zone_leaves_a_mark(tmp_path: Path, kind: str, driver: Driver) -> None:
    assert rows(tmp_path, kind, watermark="written")["user_id"].to_pylist() == [0, 1, 2, 3]
    driver.database.execute("INSERT INTO EVENTS SELECT 9, 'i9', 0, now(), TIMESTAMP '2026-01-05'")
    assert sorted(rows(tmp_path, kind, watermark="written")["user_id"].to_pylist()) == [0, 1, 2, 3, 9]
    assert "2026-01-03 23:00:00.000000" in driver.statements[-1]


def test_what_is_refused_is_said_without_the_drivers_words(tmp_path: Path, kind: str, driver: Driver) -> None:
    with pytest.raises(ConfigError, match=f"interactions: {kind}://.* has no table NOPE"):
        rows(tmp_path, kind, table="NOPE")
    with pytest.raises(ConfigError, match="the query is not valid"):
        rows(tmp_path, kind, table=None, query="SELECT FROM")
    driver.error = "[Snowflake] 390100 (08004): Incorrect username or password was specified: a secret"
    with pytest.raises(ConfigError, match="does not let this user in") as refused:
        rows(tmp_path, kind)
    assert "secret" not in str(refused.value)
    driver.error = "dial tcp: lookup account.snowflakecomputing.com: no such host"
    with pytest.raises(ConnectionError, match="cannot be reached"):
        rows(tmp_path, kind)


def test_a_driver_that_is_not_installed_names_its_extra(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"adbc_driver_{kind}", None)
    with pytest.raises(ConfigError, match=rf"pip install 'nightrec\[{kind}\]'"):
        rows(tmp_path, kind)


def test_times_are_compared_as_each_has_them() -> None:
    when = datetime(2026, 1, 2, 3)
    for kind, dialect, text in (
        (pa.timestamp("ns"), warehouses._Snowflake, "TO_TIMESTAMP_NTZ('2026-01-02 03:00:00.000000')"),
        (pa.timestamp("ns", "UTC"), warehouses._Snowflake, "TO_TIMESTAMP_TZ('2026-01-02 03:00:00.000000 +00:00')"),
        (pa.timestamp("us"), warehouses._BigQuery, "DATETIME '2026-01-02 03:00:00.000000'"),
        (pa.timestamp("us", "UTC"), warehouses._BigQuery, "TIMESTAMP '2026-01-02 03:00:00.000000+00:00'"),
    ):
        assert dialect(None).instant(when, kind) == text
        assert dialect(None).instant(when, pa.date32()) == f"DATE '{date(2026, 1, 2)}'"
