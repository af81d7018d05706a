"""The sequential model: causal self-attention over users' histories."""
