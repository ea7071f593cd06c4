"""Every source dataset as an asset. What fills it is a feed of c360.yaml; what it must look like is its contract."""

import dagster as dg
import ibis.expr.types as ir

from governance.contracts import Contract
from resources.feeds import Feeds


def source(contract: Contract) -> dg.AssetsDefinition:
    """The asset of one source contract: the feed's rows, with the unfit ones set aside in `quarantine`."""

    # Loaded before any check runs, since rules of one dataset look things up in others.
    @dg.asset(
        name=contract.name,
        key_prefix="sources",
        description=contract.grain,
        op_tags={"dagster/priority": "1"},
    )
    def dataset(context: dg.AssetExecutionContext, feeds: dg.ResourceParam[Feeds]) -> ir.Table:
        load = feeds.load(contract)
        feeds.quarantine(contract, load, {"c360.run_id": context.run.run_id})
        if load.quarantined_count:
            context.log.warning("%s: %s rows set aside in quarantine", contract.name, f"{load.quarantined_count:,}")
        context.add_output_metadata({"source": load.origin, "quarantined": load.quarantined_count})
        return load.rows

    return dataset
