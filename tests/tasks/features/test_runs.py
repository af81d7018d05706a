"""Texts are cut between letters and digits, and nothing of Unicode reaches across the cuts."""

import unicodedata

import pyarrow as pa

from tasks.features.runs import STROKE, runs_of


def test_runs_end_at_ascii_characters_and_at_the_ends_of_texts() -> None:
    texts = pa.array(["", "one two", None, "é-ñ_1", "...", "end", "千 a"])
    runs, offsets = runs_of(texts.fill_null(""))
    assert runs.to_pylist() == ["one", "two", "é", "ñ_1", "end", "千", "a"]
    assert offsets.tolist() == [0, 0, 2, 2, 4, 4, 5, 7]
    part, of_part = runs_of(texts.fill_null("")[3:6])
    assert (part.to_pylist(), of_part.tolist()) == (["é", "ñ_1", "end"], [0, 2, 2, 3])
    assert runs_of(pa.array([], pa.string()))[0].to_pylist() == []


def test_no_mark_but_one_belongs_to_what_is_cut_off() -> None:
    marks = [chr(code) for code in range(0x300, 0x2FA20) if unicodedata.combining(chr(code))]
    cuts = [chr(code) for code in range(128) if not chr(code).isalnum() and chr(code) != "_"]
    joined = {
        mark
        for mark in marks
        for cut in cuts
        if unicodedata.normalize("NFKC", cut + mark) != cut + unicodedata.normalize("NFKC", mark)
    }
    assert joined == {STROKE}
