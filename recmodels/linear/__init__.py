"""Linear item models: EASE and graph filters."""
