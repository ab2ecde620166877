"""The room that makes: decides what must run and why, and has it run. Unaware of the DSL and of files."""
