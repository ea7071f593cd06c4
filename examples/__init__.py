"""Example data: a sample company with known truth, and customer records whose ids repeat. Imports nothing of ours."""
