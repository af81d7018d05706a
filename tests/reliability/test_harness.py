import json

import pytest

from tests.reliability import __main__ as frame
from tests.reliability.harness import harnesses, table


def test_a_harness_is_found_by_its_main_function_and_described_without_being_imported(tmp_path):
    (tmp_path / "kills.py").write_text('"""Kills.\n\nMore."""\nraise SystemExit\ndef main(arguments): ...\n')
    (tmp_path / "helper.py").write_text('"""No harness."""\n')
    assert harnesses(tmp_path) == {"kills": "Kills."}


def test_rows_become_a_table_of_markdown():
    assert table([{"case": "kill", "n": 1200}, {"case": "-", "n": 2.5}]).splitlines() == [
        "| case | n     |",
        "|------|-------|",
        "| kill | 1,200 |",
        "| -    | 2.5   |",
    ]


@pytest.mark.parametrize(("broken", "status"), [([], 0), (["A reading was bad."], 1)])
def test_a_broken_promise_fails_the_run_and_is_named(tmp_path, monkeypatch, capsys, broken, status):
    (tmp_path / "one.py").write_text('"""One."""\ndef main(arguments): ...\n')
    report = frame.Report([{"case": "a"}], broken)
    monkeypatch.setattr(frame, "HERE", tmp_path)
    monkeypatch.setattr(
        frame.importlib, "import_module", lambda name: type("Module", (), {"main": lambda given: report})
    )
    assert frame.main(["one", "--json", str(tmp_path / "out.json")]) == status
    assert json.loads((tmp_path / "out.json").read_text()) == {"one": {"rows": [{"case": "a"}], "broken": broken}}
    assert all(f"BROKEN: {promise}" in capsys.readouterr().out for promise in broken)


def test_an_unknown_name_is_refused_with_those_that_exist(capsys):
    assert frame.main(["no-such"]) == 2
    assert "There is no harness no-such" in capsys.readouterr().err
