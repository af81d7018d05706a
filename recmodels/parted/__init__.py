"""Trainings in parts: the data of a split, and what is learned of it, as arrays that any machine maps into memory."""
