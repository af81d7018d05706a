"""Forgetting a user: everywhere in the store, and wherever its lists, logs and reports have gone."""
