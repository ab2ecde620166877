"""Whether a store is what it says: every damage named, with what can be done. Reads only, but for `repairing`."""
