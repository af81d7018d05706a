"""The report of a night: its figures from the store, its charts, and the page that shows them."""
