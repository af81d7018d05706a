"""Words of any script, ranges of numbers, and what columns and languages count."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.terms import _ranges, fit_terms, item_documents, unit_rows
from tasks.features.tokens import length_in_words, stop_words, words


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


def test_films_with_a_common_name_are_alike_in_japanese_as_in_english() -> None:
    items = pa.table({"title": ["となりのトトロ", "トトロの森", "火垂るの墓", "My Totoro", "Totoro again", "Graves"]})
    known = np.ones(6, bool)
    documents = item_documents(items, FeatureSettings(), known)
    column = fit_terms("title", documents["title"], known, FeatureSettings())
    assert column is not None
    alike = (unit_rows([column], 6) @ unit_rows([column], 6).T).toarray()
    assert alike[0, 1] > 0.5 > alike[0, 2] and alike[3, 4] == pytest.approx(1) and alike[3, 5] == 0


def test_function_words_of_the_named_languages_are_left_out() -> None:
    assert words("The fox and the hen", stop=stop_words(["en"])) == ["fox", "hen"]
    assert words("Der Fuchs und the hen", stop=stop_words(["de"])) == ["fuchs", "the", "hen"]
    assert stop_words([]) == frozenset()
    items = pa.table({"title": ["and fox", "and fox"]})
    documents = item_documents(items, FeatureSettings(stop_words=["en", "de"]), np.ones(2, bool))
    assert documents == {"title": [["fox"], ["fox"]]}
    with pytest.raises(ValidationError, match="no stop words for 'english'; give codes such as en"):
        FeatureSettings(stop_words=["english"])


def test_a_range_has_about_as_many_known_items_as_any_other() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.nan, 100, -5])
    known = np.arange(11) < 9
    expected = ["below 3"] * 2 + ["3 to 5"] * 2 + ["5 to 7"] * 2 + ["from 7"] * 2
    assert _ranges(values, 4, known) == [[name] for name in expected] + [[], ["from 7"], ["below 3"]]
    assert _ranges(np.array([0.0, 0, 0, 1]), 8, np.ones(4, bool)) == [["below 1"]] * 3 + [["from 1"]]
    assert _ranges(np.array([7.0, np.nan]), 8, np.ones(2, bool)) == [["any"], []]
    assert _ranges(np.array([7.0]), 8, np.zeros(1, bool)) == [[]]


def test_numbers_are_terms_unless_there_are_no_bins() -> None:
    items = pa.table({"price": [1.0, 2.0, None, 4.0]})
    known = np.ones(4, bool)
    assert item_documents(items, FeatureSettings(bins=2), known) == {"price": [["below 2"], ["from 2"], [], ["from 2"]]}
    assert item_documents(items, FeatureSettings(bins=0), known) == {}


def test_a_column_counts_by_its_weight() -> None:
    known = np.ones(2, bool)
    documents = {"genres": [["a"], ["a"]], "title": [["b"], ["b"]]}
    rules = FeatureSettings(max_items_share=1, column_weights={"genres": 3, "tags": 0})
    columns = [fit_terms(name, texts, known, rules) for name, texts in documents.items()]
    rows = unit_rows([column for column in columns if column], 2).toarray()
    np.testing.assert_allclose(rows, [[3 / math.sqrt(10), 1 / math.sqrt(10)]] * 2, rtol=1e-6)
    assert fit_terms("tags", documents["title"], known, rules) is None
    with pytest.raises(ValidationError, match="the weight of genres is -1"):
        FeatureSettings(column_weights={"genres": -1})


def test_chinese_descriptions_are_texts_and_chinese_categories_are_not() -> None:
    about = ["一部关于一个小女孩和她的朋友的温暖的电影", "讲述两个京剧演员半个世纪悲欢离合的故事"]
    assert role_of(pa.table({"about": about}), "about", FeatureSettings()) == "text"
    assert role_of(pa.table({"kind": ["家电", "图书"] * 10}), "kind", FeatureSettings()) == "category"
