"""The long-term panel: what the lists of a site do over weeks and months, night by night, with slopes."""
