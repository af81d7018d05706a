"""The published tables: their schema, and how to read them."""
