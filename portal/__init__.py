"""Every way in: the command line, and what will stand beside it."""
