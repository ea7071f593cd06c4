"""Every source dataset as an asset. What fills it is a feed of c360.yaml; what it must look like is its contract."""

import re
from datetime import timedelta

import dagster as dg

from governance.contract import HOURLY, Contract
from resources.deployment import ScheduleSettings
from resources.feeds import Feeds, Load
from resources.merging import Window
from resources.volume import ACCEPT_FEWER

# A run with this tag loads all of a source, not only what changed.
WHOLE_TAG = "c360/whole"
# A run with this tag loads one batch of corrections, and nothing of the source.
CORRECTIONS_TAG = "c360/corrections"
# What stands between the datasets that a run is told to take as they come.
BETWEEN = re.compile(r"[\s,]+")


def source(contract: Contract, schedules: ScheduleSettings) -> dg.AssetsDefinition:
    """The asset of one source contract: the feed's rows, with the unfit ones set aside in `quarantine`.

    A dataset that is loaded by the hour is partitioned; a run for some hours, however many, is one load of their
    events and of the hours before in which events may have come late. A run without partition loads everything.
    """
    hours = dg.HourlyPartitionsDefinition(f"{schedules.hours_from:%Y-%m-%d-%H:%M}", minute_offset=0)

    # Loaded before any check runs, since rules of one dataset look things up in others.
    @dg.asset(
        name=contract.name,
        key_prefix="sources",
        description=contract.grain,
        partitions_def=hours if contract.loading == HOURLY else None,
        backfill_policy=dg.BackfillPolicy.single_run() if contract.loading == HOURLY else None,
        op_tags={"dagster/priority": "1"},
    )
    def dataset(context: dg.AssetExecutionContext, feeds: dg.ResourceParam[Feeds]) -> Load:
        is_whole = WHOLE_TAG in context.run.tags
        batch = context.run.tags.get(CORRECTIONS_TAG)
        may_be_fewer = contract.name in BETWEEN.split(context.run.tags.get(ACCEPT_FEWER, ""))
        load = feeds.load(contract, _window(context, timedelta(hours=schedules.lateness_hours)), is_whole, batch)
        feeds.check_volume(contract, load, may_be_fewer)
        feeds.quarantine(contract, load, {"c360.run_id": context.run.run_id})
        feeds.check_enough_are_kept(contract, load, may_be_fewer)
        _tell(context, contract, load)
        for hour, count in _by_hour(context, contract, load).items():
            context.add_asset_metadata({"dagster/partition_row_count": count}, partition_key=hour)
        return load

    return dataset


def _tell(context: dg.AssetExecutionContext, contract: Contract, load: Load) -> None:
    """What became of the rows, in the log of the run and beside the table."""
    if load.quarantined_count:
        context.log.warning("%s: %s rows set aside in quarantine", contract.name, f"{load.quarantined_count:,}")
    for note in load.notes:
        context.log.warning("%s: %s", contract.name, note)
    context.add_output_metadata(
        {
            "source": load.origin,
            "rows read": load.read_count,
            **({"rows read of each connector": dict(load.read_counts)} if len(load.read_counts) > 1 else {}),
            "rows selected": load.row_count,
            "rows kept": load.kept_count,
            "quarantined": load.quarantined_count,
            **({"rows of erased people left out": load.erased_count} if load.erased_count else {}),
            **({"notes": list(load.notes)} if load.notes else {}),
        }
    )


def _by_hour(context: dg.AssetExecutionContext, contract: Contract, load: Load) -> dict[str, int]:
    """How many events each hour has that a run was for."""
    if load.window is None:
        return {}
    hours = load.rows.group_by(hour=load.rows[contract.event_time].strftime("%Y-%m-%d-%H:00"))
    counted = {row["hour"]: row["events"] for row in hours.agg(events=load.rows.count()).to_pyarrow().to_pylist()}
    return {hour: counted.get(hour, 0) for hour in context.partition_keys}


def _window(context: dg.AssetExecutionContext, lateness: timedelta) -> Window | None:
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    span = context.partition_time_window
    return Window(span.start.replace(tzinfo=None) - lateness, span.end.replace(tzinfo=None))
