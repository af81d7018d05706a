"""Users are described by one-hot categories and binned numbers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.features.settings import FeatureSettings
from tasks.features.user_features import write_user_features


def test_categories_and_binned_numbers_of_the_user_table_are_user_features(tmp_path: Path) -> None:
    users = pa.table(
        {
            "user_id": ["a", "b", "c", "d", "e"],
            "country": ["FR", "FR", None, "FR", "DE"],
            "plan": [True, False, True, False, True],
            "age": [20.0, 30.0, None, 40.0, 50.0],
            "motto": ["one two three four five"] * 5,
        }
    )
    known = np.array([True, True, True, False, True])
    write_user_features(users, known, FeatureSettings(bins=2, roles={"country": "category"}), tmp_path)
    named = {
        row["term_index"]: (row["column"], row["term"], row["document_frequency"])
        for row in pq.read_table(tmp_path / layout.USER_VOCABULARY).to_pylist()
    }
    # DE has one known user alone, and so have the plan that is off and, of the ages 20, 30 and 50, those below 30
    assert list(named.values()) == [("country", "FR", 2), ("plan", "true", 3), ("age", "from 30", 2)]
    said = layout.read_terms(tmp_path / layout.USER_TERMS, 5, "user_index").toarray()
    half = 0.5**0.5
    expected = [[half, half, 0], [half, 0, half], [0, 1, 0], [half, 0, half], [0, half, half]]
    np.testing.assert_allclose(said, expected, rtol=1e-6)
