"""How a site's files are read: formats, columns, ids, timestamps, and the lines that are no rows."""
