"""What operators watch, at /metrics.

What the books, the inbox and the clock say is read from PostgreSQL at each scrape: it is exact, the same whichever web
worker answers, and survives every restart. Only what happens in a process and nowhere else (requests) is counted there.
"""
