"""What runs on its own: jobs now, schedules and sensors as sources connect."""

import dagster as dg

from resources.deployment import Deployment
from resources.notifications import deliver

NOTIFY_EVERY_SECONDS = 60

refresh = dg.define_asset_job(
    "refresh", selection=dg.AssetSelection.all(), description="Load every source and rebuild every table."
)


def notifications(deployment: Deployment) -> dg.SensorDefinition:
    """Sends what waits in the outbox to the people it is for."""

    @dg.sensor(
        name="notifications",
        minimum_interval_seconds=NOTIFY_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the notifications of incidents that wait in the outbox.",
    )
    def send() -> dg.SkipReason:
        done = deliver(deployment.operations, deployment.settings.notifications)
        return dg.SkipReason(f"{done.delivered} sent, {done.failed} could not be sent and wait")

    return send
