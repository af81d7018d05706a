"""A site's settings, and the options of one night."""
