"""Runs: started, watched and told, and where rows went in them."""
