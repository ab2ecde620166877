"""Where describing, keeping and making meet: the public verbs, the location of the store, what is told of the work."""
