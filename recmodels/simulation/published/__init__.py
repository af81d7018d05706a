"""Behavior models of published simulations of feedback loops, as their papers and authors' programs describe them.

With them the laboratory is held against what others found; `docs/findings.md` says what came out.
"""
