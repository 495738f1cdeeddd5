"""The only code that calls out: a file for each provider, each with its fake under tests/fakes/."""
