"""Blending and stacking of other models' lists."""
