"""For the tests of those who build on this package: in-memory implementations of its protocols."""
