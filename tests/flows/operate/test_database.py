"""Nights that were killed do not show as running for ever in Prefect's database."""

import sqlite3
from contextlib import closing
from pathlib import Path

from flows.operate.database import may_have_automations, write_off_the_dead


def test_what_shows_as_running_for_a_week_has_crashed_and_can_be_pruned(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    write_off_the_dead(database)
    assert not database.exists()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE flow_run "
            "(id, state_id, state_type, state_name, deployment_id, parent_task_run_id, start_time, end_time)"
        )
        connection.execute("CREATE TABLE flow_run_state (id, type, name, message)")
        for run, type_, deployment, parent, age in (
            ("killed", "RUNNING", None, None, 8),
            ("young", "RUNNING", None, None, 6),
            ("of a worker", "RUNNING", "site", None, 8),
            ("within another", "RUNNING", None, "task", 8),
            ("ended", "COMPLETED", None, None, 8),
        ):
            connection.execute(
                "INSERT INTO flow_run VALUES (?1, ?1, ?2, ?2, ?3, ?4, strftime('%Y-%m-%d %H:%M:%f', 'now', ?5), NULL)",
                (run, type_, deployment, parent, f"-{age} days"),
            )
            connection.execute("INSERT INTO flow_run_state VALUES (?1, ?2, ?2, '')", (run, type_))
    write_off_the_dead(database)
    with closing(sqlite3.connect(database)) as connection:
        ended = connection.execute("SELECT id FROM flow_run WHERE state_type = 'CRASHED' AND end_time = start_time")
        states = connection.execute("SELECT id, name, message FROM flow_run_state WHERE type = 'CRASHED'")
        assert ended.fetchall() == [("killed",)]
        assert states.fetchall() == [("killed", "Crashed", "its process was killed")]


def test_a_database_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "prefect.db").write_text("no database")
    write_off_the_dead(tmp_path / "prefect.db")
    assert (tmp_path / "prefect.db").read_text() == "no database"


def test_whether_a_database_may_have_automations(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    assert may_have_automations(None)  # it is another one than SQLite's
    assert not may_have_automations(database)
    database.touch()
    assert may_have_automations(database)  # without Prefect's tables, nobody knows
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE automation (name)")
        assert not may_have_automations(database)
        with connection:
            connection.execute("INSERT INTO automation VALUES ('tell somebody')")
    assert may_have_automations(database)
