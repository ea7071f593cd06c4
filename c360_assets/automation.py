"""What runs on its own: jobs now, schedules and sensors as sources connect."""

import dagster as dg

refresh = dg.define_asset_job(
    "refresh", selection=dg.AssetSelection.all(), description="Load every source and rebuild every table."
)
