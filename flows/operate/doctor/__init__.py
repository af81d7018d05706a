"""`nightrec doctor`: what is wrong with a site, where, and what to do; one module a subject."""
