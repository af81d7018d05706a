"""Matrix factorization: ALS, BPR and biased MF."""
