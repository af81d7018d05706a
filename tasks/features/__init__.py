"""Stage 4, features: item, user and text features."""
