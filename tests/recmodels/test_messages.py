import pytest

from recmodels.errors import ConfigError, DataRefused, NightrecError
from recmodels.messages import LONGEST, sentence, short, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 日本", "plain, é, 日本"),
        ("\x1b[2J\x9b\x7f", "\\x1b[2J\\x9b\\x7f"),
        ("\u202egnp\u2066", "\\u202egnp\\u2066"),
        ("\udcff\ud800", "\\xff\\ud800"),
        ("a\tb\nc", "a\\x09b\\x0ac"),
    ],
)
def test_what_commands_a_terminal_or_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    shown.encode()


def test_the_ends_of_lines_stay_where_there_may_be_several() -> None:
    assert visible("a\nb\r", lines=True) == "a\nb\\x0d"


def test_a_sentence_is_on_one_line_and_keeps_its_begin_and_its_end() -> None:
    assert sentence("a  file\nis\tbad") == "a file is bad"
    said = sentence(f"what {'x' * 5000} to do")
    assert len(said) == LONGEST and said.startswith("what x") and said.endswith("x to do")


def test_the_path_of_a_long_sentence_is_cut_before_its_words() -> None:
    path, words = f"/data{'/folder' * 20}/log.csv", "word " * 60
    said = sentence(f"{path}, line 7: {words}to do.")
    assert said.startswith("/data/folder") and f"/log.csv, line 7: {words}to do." in said
    assert sentence(f"{path} is bad") == f"{path} is bad"


def test_a_value_is_shown_short() -> None:
    assert short("x" * 40) == "x" * 40
    assert short("abcdefghij", 5) == "ab…ij" and len(short("a" * 99)) == 40


@pytest.mark.parametrize("kind", [NightrecError, ConfigError, DataRefused])
def test_every_error_reads_as_one_short_line(kind: type[NightrecError]) -> None:
    assert str(kind("the value\n\x1b[31m is bad")) == "the value \\x1b[31m is bad"
    assert len(str(kind("a" * 999))) == LONGEST
