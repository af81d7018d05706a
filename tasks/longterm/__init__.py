"""The long term, foretold: which early signals tell who stays, and what an arm will have done weeks later."""
