"""Feature fusion trained on sampled pairs: hybrid, embedding and NCF."""
