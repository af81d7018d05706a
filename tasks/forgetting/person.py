"""Who is forgotten: how their id is told from others in a column, in a text, and in a hashed export."""

import html
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recmodels.errors import ConfigError

FORGOTTEN = "[forgotten]"
OF_A_USER = frozenset({"user_id", "user", "min_user", "max_user"})
"""The keys of JSON whose values are ids of users."""
LONG = 7  # digits from which a bare number in a text is no figure, as figures have commas there

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Person:
    """A user by their id, as the site writes it; blanks at its ends make no difference."""

    user_id: str

    @classmethod
    def named(cls, user_id: str) -> "Person":
        """Raises ConfigError where no id is given."""
        if not user_id.strip():
            raise ConfigError("No user was named: `nightrec forget USER_ID`.")
        return cls(user_id.strip())

    @cached_property
    def number(self) -> int | None:
        """The id as a whole number; None where it is none, as 007 is not 7 but another user."""
        digits = self.user_id.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return None
        return int(self.user_id) if str(int(self.user_id)) == self.user_id else None

    def rows_of(self, column: pa.Array | pa.ChunkedArray) -> Mask:
        """Which values of a column of ids are this user's."""
        if isinstance(column, pa.ChunkedArray):
            return np.concatenate([np.zeros(0, np.bool_), *map(self.rows_of, column.chunks)])
        kind = column.type
        if pa.types.is_dictionary(kind):
            mine = self.rows_of(column.dictionary)
            where = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
            chosen: Mask = np.append(mine, False)[where]
            return chosen
        if pa.types.is_integer(kind):
            same = self._equal(column, kind)
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            same = pc.equal(pc.utf8_trim_whitespace(column), pa.scalar(self.user_id, kind))
        elif pa.types.is_string_view(kind):
            return self.rows_of(column.cast(pa.string()))
        else:
            same = None
        if same is None:
            return np.zeros(len(column), np.bool_)
        found: Mask = pc.fill_null(same, False).to_numpy(zero_copy_only=False)
        return found

    def _equal(self, column: pa.Array, kind: pa.DataType) -> pa.Array | None:
        try:
            return None if self.number is None else pc.equal(column, pa.scalar(self.number, kind))
        except (OverflowError, pa.ArrowInvalid):
            return None

    @cached_property
    def forms(self) -> list[str]:
        """How texts may write the id: as it is, and escaped for HTML, JSON, CSV, URLs and Python."""
        given = self.user_id
        escaped = {given, html.escape(given), html.escape(given, quote=False), quote(given), quote(given, safe="")}
        escaped |= {given.replace('"', '""'), repr(given)[1:-1]}
        escaped.add(html.escape(given).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))
        escaped |= {json.dumps(form, ensure_ascii=pure)[1:-1] for form in tuple(escaped) for pure in (True, False)}
        return sorted(escaped, key=lambda form: (-len(form), form))

    @cached_property
    def word(self) -> re.Pattern[str]:
        """The id as a word of a text; a few digits are one only where they are quoted or follow the word user."""
        whole = "|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in self.forms)
        if any(letter.isalpha() for letter in self.user_id):
            return re.compile(whole)
        number = rf"(?<![\w.,-]){re.escape(self.user_id)}(?!\w|[.,]\d)"
        if len(self.user_id) >= LONG:
            return re.compile(number)
        quoted = rf"(?<=['\"`]){re.escape(self.user_id)}(?=['\"`;,|\t])|(?<=&#39;){re.escape(self.user_id)}(?=&#39;)"
        named = rf"(?i:(?<=user )|(?<=user: )|(?<=user_id )|(?<=user_id=)|(?<=user_id: )|(?<=user=)){number}"
        return re.compile(f"{quoted}|{named}")

    def in_text(self, text: str) -> bool:
        return any(form in text for form in self.forms) and bool(self.word.search(text))

    def without(self, text: str) -> str:
        """A text with the id replaced."""
        return self.word.sub(FORGOTTEN, text) if self.in_text(text) else text

    def is_value(self, value: Any) -> bool:
        """Whether a value of JSON that is an id is this user's."""
        return isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() == self.user_id
