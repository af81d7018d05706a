"""Checkpoints that are brought to another machine."""

from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from recmodels.transformer import delivery
from recmodels.transformer.delivery import Receiver, Sender
from tests.waiting import until


@pytest.mark.slow
def test_a_file_arrives_whole_whenever_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "CHUNK", 1000)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60))
    here, there = tmp_path / "here", tmp_path / "folder" / "there"
    (tmp_path / "given").write_bytes(b"earlier")
    here.symlink_to(tmp_path / "given")  # what it resumed from is there already
    with Receiver(there, "127.0.0.1", store.port):
        sender = Sender(here, "127.0.0.1", store.port)
        sender.start()
        for content in (b"one" * 999, b"another" * 777):
            new = tmp_path / "new"
            new.write_bytes(content)
            new.replace(here)
            until("the file has arrived", lambda content=content: there.exists() and there.read_bytes() == content)
    assert [path.name for path in there.parent.iterdir()] == ["there"]
    until("all is sent", lambda: sender.number >= 4 + 7)
    assert sender.number == 4 + 7  # 2,997 and 5,439 bytes, and an end each
