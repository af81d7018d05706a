from tasks.export.nearly import ApproximateSummary


def test_one_sentence_says_what_is_missed_and_on_whom_it_was_measured() -> None:
    about = ApproximateSummary(wanted=0.99, recall=0.9963, users=3072, products=0.0208, exact=None)
    assert about.sentence == (
        "Lists are approximate: 99.63% of the exact ones is in them (wanted: 99.00%), measured on 3,072 users; "
        "2.1% of all scores were computed."
    )
