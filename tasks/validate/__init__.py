"""Stage 2, validate: Great Expectations suites and quarantine."""
