"""Published findings about feedback loops, found again with the laboratory: `docs/findings.md` has the results."""
