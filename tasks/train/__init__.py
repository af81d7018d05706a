"""Stage 5, train: each candidate in a process of its own."""
