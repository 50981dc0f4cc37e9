"""The door for programs: one URL for all models and all tasks, over HTTP."""
