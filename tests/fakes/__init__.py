"""Stand-ins for what the service calls, each a real server on loopback. `make run` uses them too."""
