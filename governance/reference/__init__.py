"""Reference data: facts that belong to no source, each in a CSV file a steward can edit."""
