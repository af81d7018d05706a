"""Simulations: what switching would do over many nights, by users who choose and models that learn from them."""
