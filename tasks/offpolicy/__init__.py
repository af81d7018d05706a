"""What each candidate's choices would have earned, from the places that exploration drew and what came of them."""
