"""Three months of a small business, for a developer's machine: who its customers are and what they do each day."""
