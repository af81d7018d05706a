"""What is piped has a line for each stage when it ends."""

from datetime import datetime
from io import StringIO

import pytest

from flows.cli.progress import progress
from flows.cli.shown import console
from tasks.store.events import current_night, log_event


@pytest.mark.parametrize("aside", [False, True])
def test_piped_output_has_a_line_a_stage_as_it_ends(capsys: pytest.CaptureFixture[str], aside: bool) -> None:
    night = current_night.set("/store/nights/2026-03-31")
    with progress(console(file=StringIO()), aside=aside):
        log_event("ingest", "start")
        log_event("ingest", "done", "5 interactions", 1.5)
        said = capsys.readouterr()
        log_event("prepare", "skipped")
        log_event("ease", "failed", "no memory", 2.0)
    current_night.reset(night)
    text, other = (said.err, said.out) if aside else (said.out, said.err)
    assert other == "" and text.endswith(" night 2026-03-31: ingest done, 5 interactions (1.5 s)\n")
    assert datetime.strptime(text.split()[0], "%H:%M:%S")
    more = capsys.readouterr()
    rest = [line.partition(" ")[2] for line in (more.err if aside else more.out).splitlines()]
    assert rest == [
        "night 2026-03-31: prepare skipped (done before)",
        "night 2026-03-31: ease failed, no memory (2.0 s)",
    ]
    log_event("ingest", "done", "nobody listens any more")
    assert capsys.readouterr().out == ""
