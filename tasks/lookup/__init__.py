"""Looking at what was published: a user's list and an item's places, with what explains them."""
