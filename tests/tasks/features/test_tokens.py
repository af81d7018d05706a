"""Words of any script, ranges of numbers, and what columns and languages count."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.features.documents import item_documents
from tasks.features.settings import FeatureSettings
from tasks.features.terms import fit_terms, unit_rows
from tasks.features.tokens import _of_runs, length_in_words, words


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The Red-Hot Fox, a 2nd time", ["the", "red", "hot", "fox", "2nd", "time"]),
        ("Красная лиса", ["красная", "лиса"]),
        ("हिन्दी सिनेमा", ["हिन्दी", "सिनेमा"]),  # marks belong to their letters
        ("千と千尋の神隠し", ["千と", "と千", "千尋", "尋の", "の神", "神隠", "隠し"]),
        ("霸王别姬", ["霸王", "王别", "别姬"]),
        ("猫", ["猫"]),  # a character alone
        ("ﾄﾄﾛ・Totoro 1988年", ["トト", "トロ", "totoro", "1988", "年"]),  # widths of letters are one
        ("기생충 봉준호", ["기생", "생충", "봉준", "준호"]),
        ("องค์บาก", ["อง", "งค", "ค์", "์บ", "บา", "าก"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("", []),
        (None, []),
        (42, ["42"]),
    ],
)
def test_words_of_all_scripts_are_terms(text: object, terms: list[str]) -> None:
    assert words(text) == terms


def test_longer_and_single_characters_can_be_terms() -> None:
    assert words("千と千尋", ngrams=3) == ["千と千", "と千尋"]
    assert words("千と千尋", ngrams=1) == ["千", "と", "千", "尋"]


@given(st.text())
def test_no_text_breaks_the_words(text: str) -> None:
    terms = words(text)
    assert all(terms) and not any(term.isspace() for term in terms)
    assert length_in_words(text) <= len(text.encode())
    assert terms == _of_runs(unicodedata.normalize("NFKC", text).casefold(), 2)


def test_films_with_a_common_name_are_similar_in_japanese_as_in_english() -> None:
    items = pa.table({"title": ["となりのトトロ", "トトロの森", "火垂るの墓", "My Totoro", "Totoro again", "Graves"]})
    known = np.ones(6, bool)
    documents = item_documents(items, FeatureSettings(), known)
    column = fit_terms("title", documents["title"], known, FeatureSettings())
    assert column is not None
    alike = (unit_rows([column], 6) @ unit_rows([column], 6).T).toarray()
    assert alike[0, 1] > 0.5 > alike[0, 2] and alike[3, 4] == pytest.approx(1) and alike[3, 5] == 0
