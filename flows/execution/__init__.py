"""Where and when nights run: local processes or work pools, their flow runs, their dates."""
