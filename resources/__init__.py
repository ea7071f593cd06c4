"""How we reach the world: engine, lake, feeds, deployments. Knows how tables are kept, and no table by name."""
