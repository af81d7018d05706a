"""Databases as streams of Arrow batches: a module for each kind."""
