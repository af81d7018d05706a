import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tasks.report.templates import templates


def test_what_pages_write_is_escaped_and_nothing_in_it_hides() -> None:
    page = templates("tasks.report").from_string("{{ text }} {{ made }}")
    shown = page.render(text="<b>\x1b[2J\u202e", made=Markup("<i>&amp;</i>"))
    assert shown == "&lt;b&gt;\\x1b[2J\\u202e <i>&amp;</i>"


def test_a_name_that_is_not_given_is_no_empty_text() -> None:
    with pytest.raises(UndefinedError):
        templates("tasks.report").from_string("{{ nothing }}").render()
