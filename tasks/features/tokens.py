"""Texts as words, whatever the script, and tags and categories as they are given.

Where a script parts words by spaces a word is a run of letters, digits and the marks on them. Chinese, Japanese, Thai
and the like have no spaces: there, every few neighbouring characters are a term, as in Lucene's analysis of CJK text.
Korean is treated like them, since its particles hang on the words.
"""

import re
import unicodedata
from collections.abc import Set
from functools import cache

TAG_DELIMITER = "|"

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u1100-\u11ff\uac00-\ud7a3"  # Hangul
)


_SIMPLE = re.compile(r"\w{2,}")
"""A run of at least two letters and digits, of a text of spaced scripts without marks."""


@cache
def _marks() -> str:
    return "".join(chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code)).startswith("M"))


@cache
def _beyond_simple() -> re.Pattern[str]:
    """What most texts do not have, which are searched five times as fast."""
    return re.compile(rf"[{UNSPACED}{_marks()}]")


@cache
def _runs() -> re.Pattern[str]:
    """A run of an unspaced script (in a group), or of at least two letters, digits and marks of the others."""
    return re.compile(rf"([{UNSPACED}]+)|(?:(?![{UNSPACED}])[\w{_marks()}]){{2,}}")


def _is_simple(text: str) -> bool:
    return text.isascii() or not _beyond_simple().search(text)


def words(value: object, ngrams: int = 2, stop: Set[str] = frozenset()) -> list[str]:
    """The terms of a text in their order, case and width of letters aside, without those in `stop`."""
    if value is None:
        return []
    folded = unicodedata.normalize("NFKC", str(value)).casefold()
    terms = _SIMPLE.findall(folded) if _is_simple(folded) else _of_runs(folded, ngrams)
    return [term for term in terms if term not in stop] if stop else terms


def _of_runs(folded: str, ngrams: int) -> list[str]:
    """The terms of a text that may have unspaced scripts."""
    terms: list[str] = []
    for run in _runs().finditer(folded):
        text = run.group()
        if run.group(1) is None or len(text) <= ngrams:
            terms.append(text)
        else:
            terms += [text[i : i + ngrams] for i in range(len(text) - ngrams + 1)]
    return terms


def length_in_words(text: str) -> float:
    """About how many words a text has, those of unspaced scripts taken to be two characters long."""
    normal = unicodedata.normalize("NFKC", text)
    if _is_simple(normal):
        return len(_SIMPLE.findall(normal))
    runs = _runs().finditer(normal)
    return sum(1 if run.group(1) is None else len(run.group(1)) / 2 for run in runs)


def stop_words(languages: list[str]) -> frozenset[str]:
    """The function words of some languages (ISO 639-1), from the collection *stopwords-iso*."""
    if not languages:
        return frozenset()
    import stopwordsiso

    return frozenset(term for word in stopwordsiso.stopwords(languages) for term in words(word))


def tags(value: object) -> list[str]:
    return [tag.lower() for tag in tags_as_written(value)]


def tags_as_written(value: object) -> list[str]:
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(TAG_DELIMITER)
    return [tag for part in parts if part is not None and (tag := str(part).strip())]


def category(value: object) -> list[str]:
    return [] if value is None else [str(value)]
