"""The history of the store's tables. Versions are only ever added, never edited."""
