"""File systems by their URLs."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

from recmodels.published import file_systems
from recmodels.published.file_systems import file_system

PLACE = "s3://bucket/folder?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1"


def test_a_small_file_is_sent_to_s3_in_one_request() -> None:
    files, path = file_system(PLACE)
    told = {"endpoint_override": "127.0.0.1:9", "scheme": "http", "region": "us-east-1"}
    assert path == "bucket/folder"
    assert files == pafs.S3FileSystem(**told, allow_delayed_open=True) != pafs.S3FileSystem(**told)


def test_an_arrow_that_sends_none_so_is_asked_for_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def older(url: str) -> tuple[str, str]:
        asked.append(url)
        if "delayed" in url:
            raise pa.ArrowInvalid("Unexpected query parameter in S3 URI: 'allow_delayed_open'")
        return "files", "bucket"

    monkeypatch.setattr(file_systems, "pafs", SimpleNamespace(FileSystem=SimpleNamespace(from_uri=older)))
    assert file_system("s3://bucket") == ("files", "bucket")
    assert asked == ["s3://bucket?allow_delayed_open=true", "s3://bucket"]
    asked.clear()
    assert file_system("gs://bucket") == ("files", "bucket")
    assert asked == ["gs://bucket"]
