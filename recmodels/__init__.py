"""The recommenders: a plain Python library that knows nothing of Prefect or of the night around it."""
