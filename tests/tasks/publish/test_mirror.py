"""Copies of the exports on an object store, over HTTP: whole or not there, in order, and readable by the URL."""

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pytest

from recmodels.engine.current import using
from recmodels.engine.work import Engine
from recmodels.errors import ConfigError, NightrecError
from recmodels.published import reader as reading
from recmodels.published.reader import Export, read_latest
from tasks.forgetting.forget import forget
from tasks.publish import mirror as module
from tasks.publish.mirror import mirror
from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import rollback
from tasks.store.files import read_json
from tasks.store.paths import Night, Store
from tests.flows.running import nightrec
from tests.tasks import servers
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

pytestmark = pytest.mark.server

SECOND = f"{RUN_DATE}.2"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.s3() as place:
        yield place


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A prefix in a new bucket."""
    for name, value in {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a secret"}.items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(request.node.nodeid)):x}"
    where = f"endpoint_override={server}&scheme=http&region=us-east-1"
    pafs.FileSystem.from_uri(f"s3://{bucket}?{where}&allow_bucket_creation=true")[0].create_dir(bucket)
    return f"s3://{bucket}/site/a?{where}"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    night = prepare_night(tmp_path_factory.mktemp("store"))
    publish(night)
    return night.store.root


@pytest.fixture
def night(tmp_path: Path, published: Path) -> Night:
    return Store(shutil.copytree(published, tmp_path / "store", symlinks=True)).night(RUN_DATE)


def same(store: Store, url: str) -> None:
    """Whoever reads the copy reads what the store has."""
    for name in ("topk", "similar", "popular"):
        assert Export.latest(url).table(name) == Export.latest(store.root).table(name)
    assert read_latest(url, users=[3]) == read_latest(store.root, users=[3])
    assert Export.latest(url).manifest == Export.latest(store.root).manifest


def test_the_copy_is_read_by_its_url(night: Night, url: str) -> None:
    with pytest.raises(ConfigError, match="Nothing is published in the store s3://"):
        read_latest(url)
    assert mirror.fn(night.store, url) == {"copied": [str(RUN_DATE)], "removed": []}
    same(night.store, url)
    assert mirror.fn(night.store, url) == {"copied": [], "removed": []}
    publish(night, k=2)
    assert mirror.fn(night.store, url)["copied"] == [SECOND]
    same(night.store, url)
    assert Export.of_night(url, RUN_DATE).manifest["export_id"] == SECOND


def test_the_nodes_of_a_cluster_send_the_files(
    night: Night, url: str, ray_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with using(ray_engine), caplog.at_level(logging.INFO):
        assert mirror.fn(night.store, url)["copied"] == [str(RUN_DATE)]
    same(night.store, url)
    assert "1 copied" in caplog.text and "the nodes copy nothing" not in caplog.text


def test_a_copy_on_another_disk(night: Night, tmp_path: Path) -> None:
    for url in (f"file://{tmp_path}/there", "memory://bucket/site"):
        mirror.fn(night.store, url)
        same(night.store, url)


@pytest.mark.parametrize("step", range(5))
def test_an_upload_that_breaks_off_leaves_the_last_copy_and_is_taken_up_again(
    night: Night, url: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a file (of which the server keeps half), before the manifest, and before the pointer."""
    mirror.fn(night.store, url)
    before = read_latest(url)
    publish(night, k=2)
    send, put, left = module.send, module.put, step

    def breaks() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    def half(files: pafs.FileSystem, source: Path, target: Path) -> None:
        if breaks():
            with files.open_output_stream(str(target)) as sink:
                sink.write(source.read_bytes()[: source.stat().st_size // 2])
            raise OSError("the connection is lost")
        send(files, source, target)

    def nothing(files: pafs.FileSystem, path: Path, content: bytes) -> None:
        if breaks():
            raise OSError("the connection is lost")
        put(files, path, content)

    with monkeypatch.context() as patch:
        patch.setattr(module, "send", half)
        patch.setattr(module, "put", nothing)
        with pytest.raises(OSError, match="cannot be brought up to date"):
            mirror.fn(night.store, url)
    assert read_latest(url) == before
    mirror.fn(night.store, url)
    same(night.store, url)


def test_a_file_that_did_not_arrive_whole_is_noticed(night: Night, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.fn(night.store, url)
    before = read_latest(url)
    publish(night, k=2)

    def short(files: pafs.FileSystem, source: Path, target: Path) -> None:
        with files.open_output_stream(str(target)) as sink:
            sink.write(b"PAR1")

    with monkeypatch.context() as patch:
        patch.setattr(module, "send", short)
        with pytest.raises(NightrecError, match=r"part-00000.parquet has 4 bytes of \d+"):
            mirror.fn(night.store, url)
    assert read_latest(url) == before
    mirror.fn(night.store, url)
    same(night.store, url)


def test_a_server_that_is_gone_is_an_error_of_the_network(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    once = pafs.AwsStandardS3RetryStrategy(max_attempts=1)  # a URL cannot say so, and without it this takes 6 s
    gone = pafs.S3FileSystem(endpoint_override="127.0.0.1:9", scheme="http", region="us-east-1", retry_strategy=once)
    monkeypatch.setattr(module, "place", lambda to: (gone, Path("bucket/prefix/exports")))
    with pytest.raises(OSError, match="bucket"):  # which the task tries again
        mirror.fn(night.store, "s3://bucket/prefix")


def test_a_slow_reader_ends_with_the_export_it_began_with(night: Night, url: str) -> None:
    mirror.fn(night.store, url)
    expected = read_latest(url)
    export = Export.latest(url)
    paths = [str(export.folder / file["path"]) for file in export.manifest["files"] if file["path"].startswith("topk/")]
    batches = ds.dataset(paths, filesystem=export.files).to_batches(batch_size=4)
    first = next(iter(batches))
    for k in (1, 2):
        publish(night, k=k)
        mirror.fn(night.store, url)
        retain(night.store, RetentionSettings(exports=1))  # the first is in use for a day yet
    rest = list(batches)
    assert pa.Table.from_batches([first, *rest]).num_rows == expected.num_rows
    assert read_latest(url).num_rows < expected.num_rows


def test_two_that_finish_together_do_not_interleave(night: Night, url: str, tmp_path: Path) -> None:
    """Two processes copy the same store, and one of them was late: the pointer never goes back."""
    mirror.fn(night.store, url)
    late = json.loads(night.store.pointer.read_text())
    publish(night, k=2)
    both = [threading.Thread(target=mirror.fn, args=(night.store, url)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    same(night.store, url)
    newer = night.store.pointer.read_text()
    night.store.pointer.write_text(json.dumps(late | {"published_at": "2000-01-01T00:00:00+00:00"}))
    assert mirror.fn(night.store, url)["copied"] == []
    assert Export.latest(url).manifest["export_id"] == SECOND
    night.store.pointer.write_text(newer)


def test_going_back_forgetting_and_removing_reach_the_copy(night: Night, url: str) -> None:
    mirror.fn(night.store, url)
    publish(night, k=2)
    mirror.fn(night.store, url)
    rollback(night.store)
    mirror.fn(night.store, url)
    assert Export.latest(url).manifest["export_id"] == str(RUN_DATE)
    forget(night.store, "1")
    assert mirror.fn(night.store, url)["copied"] == [str(RUN_DATE), SECOND]
    same(night.store, url)
    assert not read_latest(url, users=[1]).num_rows
    retain(night.store, RetentionSettings(exports=1, longest_read_hours=0))
    rollback(night.store, SECOND)
    retain(night.store, RetentionSettings(exports=1, longest_read_hours=0))
    assert mirror.fn(night.store, url)["removed"] == [str(RUN_DATE)]
    files, exports = reading.place(url)
    left = {Path(info.path).relative_to(exports) for info in files.get_file_info(pafs.FileSelector(str(exports), True))}
    assert not [path for path in left if str(RUN_DATE) in path.parts or path.name == f"{RUN_DATE}.json"]


def test_what_others_keep_there_is_left_alone(night: Night, url: str) -> None:
    files, exports = reading.place(url)
    for name in ("2026-01-01/topk/part-00000.parquet", "manifests/2026-01-01.json"):
        with files.open_output_stream(str(exports / name)) as sink:
            sink.write(b"{}")
    assert mirror.fn(night.store, url)["removed"] == []
    assert reading.read(files, exports / "manifests" / "2026-01-01.json") == b"{}"


def test_credentials_are_not_taken_from_a_url_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="leave it out, and set AWS_ACCESS_KEY_ID and AWS_S") as refused:
        reading.place("s3://somebody:secret@bucket/prefix")
    assert "somebody" not in str(refused.value) and "secret@" not in str(refused.value)
    with pytest.raises(ConfigError, match="cannot be opened"):
        reading.place("nothing://like/that")


def test_the_command(night: Night, tmp_path: Path) -> None:
    ran = nightrec("mirror", "--store", night.store.root, "--to", f"file://{tmp_path}/there", cwd=tmp_path)
    assert ran.code == 0 and ran.out == f"Copied: {RUN_DATE}. Removed: nothing.\n"
    nowhere = nightrec("mirror", "--store", night.store.root, cwd=tmp_path)
    assert nowhere.code == 2 and "There is no copy" in nowhere.err
    assert (read_json(tmp_path / "there" / "exports" / "latest.json") or {})["export_id"] == str(RUN_DATE)
