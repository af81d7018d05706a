"""Tables that are no files of this machine are read into files of the store, and then go the way of all files."""
