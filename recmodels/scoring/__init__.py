"""What several families of models share: scores as products of vectors or of sparse matrices, similarities, ratings."""
