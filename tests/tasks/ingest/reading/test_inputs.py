"""What the settings of a table may be."""

from __future__ import annotations

import pytest

from tasks.ingest.reading.inputs import TableInput


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        TableInput.model_validate({"path": "x", "colour": "red"})
    with pytest.raises(ValueError, match="unknown time zone 'Mars'"):
        TableInput(path="x", timezone="Mars")


@pytest.mark.parametrize(
    "name", ["base64", "rot13", "idna", "punycode", "utf-7", "unicode_escape", "undefined", "utf9", "a\0"]
)
def test_what_is_no_encoding_of_text_files_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown encoding '.*'; for example 'utf-8' or 'latin-1'"):
        TableInput(path="x", encoding=name)
