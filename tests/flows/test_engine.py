"""A night on a cluster writes what it writes on this machine, byte for byte, and says where it was."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters import RayNodes
from tests.flows.plain import without_prefect
from tests.flows.running import Ran, nightrec
from tests.flows.sites import DAY, log, write

MODELS = "als,bpr"  # of which nodes train parts, and the whole


@pytest.fixture(autouse=True)
def no_prefect() -> Iterator[None]:
    with without_prefect():
        yield


def night(folder: Path, engine: str) -> Ran:
    write(folder / "log.csv", log())
    write(folder / "nightrec.toml", f"[inputs.interactions]\npath = 'log.csv'\n[engine]\n{engine}\n")
    return nightrec("run", "--date", str(DAY), "--models", MODELS, cwd=folder)


def data_of(folder: Path) -> dict[str, str]:
    """The digests of all that the night has left for others to read: tables, models, lists."""
    kinds = ("*.parquet", "*.safetensors", "*.npy")
    paths = sorted(path for kind in kinds for path in (folder / "store").rglob(kind) if "history" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.usefixtures("ray_engine")  # whose processes the night uses, as it runs in this one
def test_the_bytes_do_not_depend_on_the_engine(tmp_path: Path, ray_cluster: RayNodes) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert night(here, 'kind = "local"').code == 0
    ran = night(there, f'kind = "ray"\naddress = "{ray_cluster.address}"')
    assert ran.code == 0, ran.err
    assert "It ran on Ray, 2 nodes, 2 cores." in ran.out
    ours, theirs = data_of(here), data_of(there)
    assert len(ours) > 20
    assert theirs == ours
    record = json.loads((there / "store/nights" / str(DAY) / "night.json").read_text())
    assert (record["engine"]["kind"], record["engine"]["nodes"], record["failed"]) == ("ray", 2, {})
    assert not (there / "store/nights" / str(DAY) / "parts").exists()
