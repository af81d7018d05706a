"""Inspection: what files hold and how a night would read them, found out before anything runs."""
