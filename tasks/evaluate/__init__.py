"""Stage 5, evaluate: a candidate's lists against the holdout."""
