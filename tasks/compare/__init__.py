"""Stage 6, compare: all candidates on the same users; the gate decides."""
