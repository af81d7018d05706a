"""Replay: the nights of a site's past once more, and how each model's lists were followed by what people did.

A replay is no second pipeline. Its folder is laid out like a store, and a night in it is made by the stages of a night:

    ingest → validate        once for the whole range (`data/`)
      └→ cut → prepare → features → train, evaluate → refit → lists → measure        for each night and model

**Cut** takes the place of a night's own ingest and validation: of the valid tables of the whole range, the rows before
the night's cutoff. What is prepared of them is byte for byte what a night at that date prepares today, because nothing
before `prepare` depends on the cutoff but which interactions and tags are there: types of ids, refused rows, the
catalogue and the users are decided over whole files. All that does depend on it comes after the cut and is made for
each night alone: vocabularies, k-cores, the holdout, which items are available, and every feature. What a night would
have refused to run on (too old, too few) is judged for each night by the same rules.

A replay knows what had happened by a night, not what had reached the site by then: rows that came late are there. The
catalogue is today's but for `available_from` and `available_until`, and who has opted out since is out of it.

**Nights are independent** of each other (but for models that start from an earlier night's), so several run side by
side, each in a process that lasts; candidates run in it one after another. When a night is measured its working files
go, and `nights/<date>/measured/<model>/` is what remains. That is a stage's folder like any other: made from the cut
and what came next, skipped where it is there, and so a replay that was cut short, or asked for again with more nights
or models, goes on where it was.

**Nothing of it touches the site**: neither exports, `latest`, champion, history, nor the nights. It all lies in
`<store>/replays/<name>/`.
"""
