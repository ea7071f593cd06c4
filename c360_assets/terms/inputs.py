"""How tables take the sources they are made of."""

import dagster as dg

SOURCE = dg.AssetIn(key_prefix="sources")
# Tables take all hours of it. Said of the last one alone, because Dagster would list every hour there ever was.
HOURLY_SOURCE = dg.AssetIn(key_prefix="sources", partition_mapping=dg.LastPartitionMapping())
