"""Stage 3, prepare: interactions merged, weighted, encoded and split."""
