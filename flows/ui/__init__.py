"""`nightrec ui`: pages to look at a site's nights, people and items. They only read, and need nothing but a browser.

How a page is added:

1. A module of its own (`lookup.py`) has views, and `PAGES` with a `Page` for each: its path below `PREFIX`, its view,
   and what it is called in the navigation, if it stands there. `app.py` collects the `PAGES` of all modules.
2. A view takes the request and the `Site`, and returns `rendered("lookup.html.j2", request, site, title=…, …)`. It runs
   in a thread, so it may read files. What it raises becomes a page with one sentence: `ConfigError` for what is not
   there (404), other `NightrecError`s and what damaged files raise (500).
3. A template `{% extends "layout.html.j2" %}`, fills the blocks `heading` and `content`, and has no scripts and no
   styles of its own: `static/site.css` has them all. `tables.html.j2` and `forms.html.j2` have what pages share.
4. What is written by `{{ }}` is escaped, control characters too. A link is `{{ to("nights", day) }}`: the path and its
   parts, quoted. Only `GET` and `HEAD` are answered, and nothing in the store is ever changed.
5. `tests/flows/ui/asking.py` asks for a page and checks what every page keeps (names, labels, headings, tables).
"""

PREFIX = "/nightrec"
"""Where the pages are, on a server of their own and beside Prefect's."""
