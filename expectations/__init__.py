"""What the data must be: Great Expectations suites, one file a table."""
