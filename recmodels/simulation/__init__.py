"""A laboratory for feedback loops: users choose among what they are shown, and models learn from what they chose."""
