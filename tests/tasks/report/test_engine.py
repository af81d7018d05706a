"""The engine of a night in its record."""

from recmodels.engine.work import Machines
from tasks.report.engine import EngineNote, EngineSummary
from tasks.report.record import NightRecord


def test_the_sentence_says_what_it_ran_on_and_what_was_lost() -> None:
    found = EngineSummary.of_machines(Machines("ray", nodes=2, cores=4.0, address="10.0.0.5:6379"))
    assert found.sentence == "It ran on Ray, 2 nodes, 4 cores."
    found = found.with_note(EngineNote(stage="prepare", message="A node was lost."))
    assert found.sentence == "It ran on Ray, 2 nodes, 4 cores. prepare: A node was lost."
    small = EngineSummary.of_machines(Machines("local", nodes=1, cores=1, gpus=1))
    assert small.sentence == "It ran on this machine, bucket by bucket, 1 core, 1 GPU."


def test_the_sentence_says_why_no_cluster_was_used() -> None:
    found = EngineSummary.of_machines(Machines("local", nodes=1, cores=2), "No cluster answers at 10.0.0.5:6379.")
    assert found.sentence == "It ran on this machine alone. No cluster answers at 10.0.0.5:6379."


def test_the_record_keeps_it() -> None:
    record = NightRecord()
    assert "engine" not in record.json_ready()
    record.engine = EngineSummary(kind="ray", nodes=3, cores=12).with_note(EngineNote(stage="", message="Lost."))
    assert NightRecord.of(record.json_ready()).engine == record.engine
