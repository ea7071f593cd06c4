"""Rolling back: the history of customers without what was seen after a moment, such as one of a mistyped year."""

import uuid
from datetime import datetime

from rich.console import Console

from c360_assets.conformed.customer_history import rolled_back
from governance.errors import C360Error
from portal.reports.showing import built
from resources.deployment import Deployment
from resources.run_lock import only_run

HISTORY = "customer_history"


def roll_back(deployment: Deployment, moment: datetime, is_sure: bool, console: Console) -> None:
    """Say what of the history is later than a moment (UTC) and, where that `is_sure` to go, make it forget it.

    C360Error where there is no history yet.
    """
    contract = built(deployment, HISTORY)
    with only_run(deployment, str(uuid.uuid4()), console.print):
        held, _ = deployment.lake.newest(contract)
        left = rolled_back(held, moment)
        gone = held.count().to_pyarrow().as_py() - left.count().to_pyarrow().as_py()
        opened = left.is_current.sum().to_pyarrow().as_py() or 0
        versions, are = ("version" if gone == 1 else "versions"), ("is" if opened == 1 else "are")
        forgotten = (
            f"{gone:,} {versions} that began after {moment:%Y-%m-%d %H:%M:%S} UTC; then {opened:,} {are} current"
        )
        if not is_sure:
            raise C360Error(f"Nothing was changed. It would forget {forgotten}. If that is meant, add --yes.")
        deployment.lake.publish(deployment.lake.write(contract, left))
    console.print(f"The history of customers forgot {forgotten}. The next run goes on from there: c360 run")
