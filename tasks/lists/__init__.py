"""What a list may hold, and the lists that candidates made."""
