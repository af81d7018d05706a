"""A verdict in a row a policy."""

from typing import Any

from tasks.simulate.table import HEADINGS, rows, sentences


def effect(figure: str, value: float, low: float, high: float) -> dict[str, Any]:
    interval = {"value": value, "low": low, "high": high}
    return {"figure": figure, "level": 1 + value, "reference": 1.0, "difference": interval, "relative": interval} | {
        "over": "users"
    }


VERDICT: dict[str, Any] = {
    "reference": "ease",
    "nights": 100,
    "standings": [
        {
            "policy": "ease", "says": "ease, the champion", "tonight": {}, "later": {}, "seconds": 0.5,
            "levels": {"total_utility": 1234.0, "retention": 0.25},
        },
        {
            "policy": "als", "says": "als", "levels": {}, "seconds": None,
            "tonight": {"accuracy": effect("accuracy", -0.2, -0.3, -0.1)},
            "later": {"total_utility": effect("total_utility", 0.05, -0.01, 0.1)},
        },
    ],
    "headline": "In short.",
    "sentences": {
        "ease": {"label": "no different", "sentence": "It is it."}, "als": {"label": "worse", "sentence": "So."},
    },
    "failed": {"large": "it was killed"},
    "foresight_says": "Nothing is foretold.",
    "offpolicy_says": None,
}  # fmt: skip


def test_the_reference_has_levels_and_the_others_what_differs() -> None:
    found = [dict(zip(HEADINGS, row, strict=True)) for row in rows(VERDICT)]
    assert [row["policy"] for row in found] == ["ease", "als", "large"]
    ease, als, large = found
    assert (ease["accuracy tonight"], ease["utility"], ease["chance to come"]) == ("1", "1,234", "25.0%")
    assert (ease["variety"], ease["CPU s a night"], ease["in short"]) == ("", "0.50", "")
    assert (als["accuracy tonight"], als["utility"], als["items alive"]) == ("-20%", "(+5.0%)", "")
    assert (als["CPU s a night"], als["in short"]) == ("", "worse")
    assert large["in short"] == "failed"


def test_a_sentence_a_policy_and_what_failed() -> None:
    assert sentences(VERDICT) == [
        "In short.",
        "ease (ease, the champion): It is it.", "als: So.", "large failed: it was killed", "Nothing is foretold.",
    ]  # fmt: skip
