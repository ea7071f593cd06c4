"""Which hours of events are there, as the Dagster UI shows them.

Dagster knows of an hour by an event of its own: for a load of all there is, three years of hours, these are 25,000
events, 70 seconds and 130 MB. What it makes of them and keeps is a few spans, and those are written here.
"""

from collections.abc import Iterable
from datetime import UTC

import dagster as dg
from dagster._core.definitions.partitions.subset import TimeWindowPartitionsSubset
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.merging import Window


def record(
    instance: dg.DagsterInstance, asset: dg.AssetKey, hours: dg.PartitionsDefinition[str], loaded: Iterable[Window]
) -> None:
    """Let Dagster know that a load brought these windows of an asset whose partitions are `hours`.

    What it knew of other hours stays. Hours before the first partition and after the last are none that it shows.
    """
    assert isinstance(hours, dg.TimeWindowPartitionsDefinition)
    known = get_and_update_asset_status_cache_value(instance, asset, hours)
    shown = _shown(hours)
    if known is None or shown is None:
        return
    kept = [Window(max(one.start, shown.start), min(one.end, shown.end)) for one in loaded]
    windows = [
        dg.TimeWindow(one.start.replace(tzinfo=UTC), one.end.replace(tzinfo=UTC)) for one in kept if one.start < one.end
    ]
    there = known.deserialize_materialized_partition_subsets(hours) | TimeWindowPartitionsSubset(hours, None, windows)
    failed = known.deserialize_failed_partition_subsets(hours) - there
    instance.update_asset_cached_status_data(
        asset,
        known._replace(
            serialized_materialized_partition_subset=there.serialize(),
            serialized_failed_partition_subset=failed.serialize(),
        ),
    )


def _shown(hours: dg.TimeWindowPartitionsDefinition) -> Window | None:
    first, last = hours.get_first_partition_window(), hours.get_last_partition_window()
    if first is None or last is None:
        return None
    return Window(first.start.replace(tzinfo=None), last.end.replace(tzinfo=None))
