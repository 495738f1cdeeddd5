"""The only writers. Each verb locks, plans and posts in one transaction, and returns what it posted."""
