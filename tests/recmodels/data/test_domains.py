"""Which catalogue an item is of follows from its id, and is kept beside the prepared tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recmodels.data.domains import Domains


def test_the_domain_is_what_stands_before_the_first_colon(tmp_path: Path) -> None:
    assert Domains.read(tmp_path) is None
    Domains.of(pa.array(["films:7", "books:7", "books:a:b", "films:"])).write(tmp_path)
    found = Domains.read(tmp_path)
    assert found is not None and found.names == ("books", "films")
    np.testing.assert_array_equal(found.codes, [1, 0, 0, 1])
    np.testing.assert_array_equal(found.items("books"), [False, True, True, False])
    assert [found.file(name) for name in found.names] == ["domain-0.parquet", "domain-1.parquet"]


def test_the_first_numbers_are_shared_and_each_domain_has_as_many_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    three = Domains(("a", "b", "c"), np.zeros(1, np.int32))
    expected = [[1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0, 1]]
    np.testing.assert_array_equal(three.parts(7, 0.8), expected)  # five numbers are not enough for two of each
    with caplog.at_level("INFO"):
        assert three.parts(7, 0) is None and not caplog.messages
        assert three.parts(7, 0.4) is None
    assert caplog.messages == ["0.4 of 7 numbers are none for each of 3 domains: all are shared."]
