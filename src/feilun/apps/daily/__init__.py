"""Daily: bookkeeping. So far its first task and the sample of its traffic."""
