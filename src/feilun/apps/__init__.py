"""Apps: each is a package of tasks and domain code for one job of real people."""
