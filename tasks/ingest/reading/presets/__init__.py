"""Presets: what is known of public data sets, so that their untouched files can be given by name alone."""
