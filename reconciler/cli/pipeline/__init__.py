"""Steps of `udfs ci`, one file each, and what they share: options, entries, the run, and what comes of an entry."""
