"""What was shown, joined to what was published."""
