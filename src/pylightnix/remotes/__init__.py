"""Other places for results: sent there, fetched from there, and believed only as far as hashes and signatures reach."""
