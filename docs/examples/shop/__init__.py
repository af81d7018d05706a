"""A shop's own package: models that nightrec knows nothing of."""
