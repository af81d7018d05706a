"""Stage 7, export: lists for all users, audited and published."""
