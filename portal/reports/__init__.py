"""What people read: rows, quality, segments and profiles, on a terminal or as a page."""
