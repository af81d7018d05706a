"""The interactions, item and user features that models are fitted on, and their splits."""
