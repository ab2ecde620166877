"""Whether a store is in a place where it can do its work: file system, locks, rights, room. Unaware of results."""
