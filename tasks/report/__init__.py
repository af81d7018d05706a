"""Stage 8, report: the page, its figures and charts, notifications."""

UI_VARIABLE = "NIGHTREC_UI_URL"
"""The environment variable with the address of the pages of `nightrec ui`, for those who link to them."""
