"""Stage 1, ingest: inputs become raw Parquet."""
