"""What a library imports and hardly ever uses is imported at its first use, by whoever uses it first, or left out."""

import importlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recmodels.compute.deferred import absent, deferred


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a library that imports a part of a heavy one at its top."""
    heavy = tmp_path / "heavy_charts"
    heavy.mkdir()
    (heavy / "__init__.py").write_text("")
    (heavy / "bars.py").write_text("width = 7\n")
    (tmp_path / "light_tables.py").write_text("from heavy_charts import bars\ndef drawn(): return bars.width\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield "light_tables"
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_it_is_imported_at_its_first_use(library: str) -> None:
    with deferred("heavy_charts.bars"):
        light = importlib.import_module(library)
    assert "heavy_charts.bars" not in sys.modules
    assert light.drawn() == 7
    assert sys.modules["heavy_charts.bars"].width == 7
    assert light.drawn() == 7


def test_who_imports_it_in_earnest_meanwhile_gets_it(library: str) -> None:
    with deferred("heavy_charts.bars"):
        importlib.import_module(library)
        names: dict[str, object] = {}
        exec("from heavy_charts.bars import width", names)
        assert names["width"] == 7
        bars = sys.modules["heavy_charts.bars"]
        assert bars.__name__ == "heavy_charts.bars" and bars.__file__ is not None
    assert sys.modules["heavy_charts.bars"] is bars


def test_what_is_there_already_stays(library: str) -> None:
    bars = importlib.import_module("heavy_charts.bars")
    with deferred("heavy_charts.bars"):
        assert importlib.import_module(library).bars is bars
    assert sys.modules["heavy_charts.bars"] is bars


def test_what_does_not_exist_fails_when_it_is_used(library: str) -> None:
    with deferred("heavy_charts.lines"):
        lines = importlib.import_module("heavy_charts.lines")
    with pytest.raises(ModuleNotFoundError, match=r"heavy_charts\.lines"):
        _ = lines.width


def test_what_is_left_out_is_not_there_for_the_block_alone(library: str) -> None:
    with absent("heavy_charts"), ThreadPoolExecutor(1) as elsewhere:
        with pytest.raises(ModuleNotFoundError, match="heavy_charts"):
            importlib.import_module(library)
        assert elsewhere.submit(importlib.import_module, "heavy_charts.bars").result().width == 7
    del sys.modules["heavy_charts"], sys.modules["heavy_charts.bars"]
    assert importlib.import_module(library).drawn() == 7
