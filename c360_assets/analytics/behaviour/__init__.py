"""What they do: visits, paths and interests, and where they stumble."""
