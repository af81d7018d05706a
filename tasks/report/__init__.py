"""Stage 8, report: the page, its figures and charts, notifications."""
