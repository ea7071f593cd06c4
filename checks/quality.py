"""Asset checks: one step per table, one result per rule of its contract, and the quality score.

A table with blocking rules is published here and nowhere else: Dagster records a materialisation before a check can
fail it, so readers are held on the last snapshot that passed, and the one that failed is kept for inspection.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import dagster as dg

from c360_assets.automation import PART_TAG, scheduled
from c360_assets.conformed.as_of import EVENTS, newest_event
from checks import history, lags
from checks.measuring import Measurement, measure
from checks.scoring import ERROR, FAIL, NOT_ASSESSED, PASS, WARN, Result, dimensions
from governance.contract import Contract
from governance.quality import SCHEDULES, RowCount, Rule
from resources.deployment import Deployment
from resources.lake import Lake

# Where people see what became of an order.
PROFILE = "customer_360"
SCORE = "quality_score"
SUFFIX = "_quality"
# Scores are published before the day begins: every day, on Mondays, on the first of the month.
CHECK_CRONS = {"daily": "0 5 * * *", "weekly": "0 5 * * 1", "monthly": "0 5 1 * *"}


def quality_checks(deployment: Deployment, contract: Contract) -> dg.AssetChecksDefinition:
    """The checks of one table, in a step of their own."""
    asset = dg.AssetKey.from_user_string(contract.key)
    name = step_name(contract.key)

    @dg.multi_asset_check(name=name, specs=[*_specs(contract, asset)], can_subset=True)
    def quality(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        asked = {key.name for key in context.selected_asset_check_keys}
        if PART_TAG in context.run.tags and contract.layer == "sources" and not contract.is_gated:
            yield from _repeated(deployment, asset, contract, asked)
            return
        rules = contract.rules if SCORE in asked else [rule for rule in contract.rules if rule.name in asked]
        measured = measure(
            contract,
            _moment(context.run.run_config, deployment, contract),
            rules,
            lake=deployment.lake,
            contracts=deployment.contracts,
            feeds=deployment.feeds,
            operations=deployment.operations,
        )
        published = _publish(deployment, measured)
        lag: dict[str, Any] = (
            lags.record(deployment, context.run.run_id) if published and contract.key == PROFILE else {}
        )
        cadence = context.run.job_name.removeprefix("quality_")
        history.store(
            deployment.operations,
            measured,
            run_id=context.run.run_id,
            is_scored=SCORE in asked,
            published=published,
            cadence=cadence if cadence in SCHEDULES else None,
        )
        for result in measured.results:
            if result.rule.name in asked:
                yield _evaluation(asset, contract, result, result.status)
        if SCORE in asked:
            score = _score(asset, measured, published)
            yield score._replace(metadata={**score.metadata, **lag})

    return quality


def step_name(key: str) -> str:
    """The name of the step that checks a table."""
    return key.replace("/", "__") + SUFFIX


def schedules(contracts: Mapping[str, Contract], timezone: str) -> list[dg.ScheduleDefinition]:
    """Publication of the scores of the sources, as often as their contracts say, by the clock of a time zone."""
    return [
        scheduled(
            f"quality_{schedule}",
            dg.AssetSelection.checks_for_assets(*keys),
            CHECK_CRONS[schedule],
            timezone,
            f"Check and publish the quality scores due {schedule}.",
        )
        for schedule in SCHEDULES
        if (keys := _due(contracts, schedule))
    ]


def _due(contracts: Mapping[str, Contract], schedule: str) -> list[dg.AssetKey]:
    return [
        dg.AssetKey.from_user_string(contract.key)
        for contract in contracts.values()
        if contract.layer == "sources" and contract.rules[0].schedule == schedule
    ]


def _specs(contract: Contract, asset: dg.AssetKey) -> Iterator[dg.AssetCheckSpec]:
    for rule in contract.rules:
        yield dg.AssetCheckSpec(
            rule.name,
            asset=asset,
            description=f"{rule.description} {rule.threshold}",
            blocking=rule.blocking,
            metadata={
                "dimension": rule.dimension,
                "severity": rule.severity,
                "weight": rule.weight,
                "schedule": rule.schedule,
                **({"documented check": rule.check} if rule.check else {}),
            },
        )
    target = f" Should be {contract.quality_target:g} at least." if contract.quality_target else ""
    yield dg.AssetCheckSpec(
        SCORE, asset=asset, description=f"The quality score, 0 to 100, over the rules of the contract.{target}"
    )


def _moment(run_config: Mapping[str, Any], deployment: Deployment, contract: Contract) -> datetime | None:
    """The moment a check speaks of.

    A derived table is of the table `as_of`. A source comes before that: it is of the moment the run asks for, else of
    what `as_of` would say of the rows that the sources hold.
    """
    if contract.layer != "sources":
        return _moment_held(deployment, "as_of")
    asked = run_config.get("ops", {}).get("as_of", {}).get("config", {}).get("as_of")
    if asked:
        return datetime.fromisoformat(asked)
    return _moment_held(deployment, *(f"sources/{dataset}" for dataset in EVENTS))


def _moment_held(deployment: Deployment, *keys: str) -> datetime | None:
    tables = tuple(deployment.contracts[key] for key in keys)
    heads = [deployment.lake.head(table) for table in tables]
    return _moment_of(deployment.lake, tables, tuple(head.snapshot_id if head else None for head in heads))


# Every table of a run asks for one of two: that of `as_of`, or that of the sources. The snapshots tell it from others.
@lru_cache(maxsize=2)
def _moment_of(lake: Lake, tables: tuple[Contract, ...], snapshots: tuple[int | None, ...]) -> datetime | None:
    rows = {table.name: lake.newest(table)[0] for table in tables}
    as_of = rows["as_of"] if "as_of" in rows else newest_event(rows)
    found = as_of.as_of.max().to_pyarrow().as_py()
    return found if found is None else found.replace(tzinfo=None)


def _publish(deployment: Deployment, measured: Measurement) -> bool:
    """Let readers see the rows where every blocking rule was measured and held."""
    ran = {result.rule.name for result in measured.results}
    gates = {rule.name for rule in measured.contract.rules if rule.blocking}
    passed = gates <= ran and measured.may_be_read
    if passed:
        deployment.lake.publish(measured.commit)
    return passed


def _repeated(
    deployment: Deployment, asset: dg.AssetKey, contract: Contract, asked: Collection[str]
) -> Iterator[dg.AssetCheckResult]:
    """What was found when all rows were measured last, and that it says nothing of those that came since."""
    score, results = history.latest(deployment.operations, contract)
    if score is None:
        return
    moment = f", as of {score['as_of']:%Y-%m-%d %H:%M}" if score["as_of"] else ""
    before = f" (when all rows were checked last{moment}; later rows are not counted yet)"
    repeated = {"repeated from run": score["run_id"]}
    for result, status in results:
        if result.rule.name in asked:
            found = _evaluation(asset, contract, result, status)
            yield found._replace(description=f"{found.description}{before}", metadata={**found.metadata, **repeated})
    if SCORE in asked:
        value = score["score"]
        metadata = {"as_of": str(score["as_of"]), **({} if value is None else {"score": value}), **repeated}
        found = _scored(asset, contract, value, metadata)
        yield found._replace(description=f"{found.description}{before}")


def _evaluation(asset: dg.AssetKey, contract: Contract, result: Result, status: str) -> dg.AssetCheckResult:
    rule: Rule = result.rule
    # Dagster knows no third state, and a tick would say that there are rows.
    is_empty = isinstance(rule.need, RowCount) and not contract.optional
    passed = (PASS,) if is_empty else (PASS, NOT_ASSESSED)
    metadata: dict[str, Any] = {"status": status, "dimension": rule.dimension}
    if result.share is not None:
        metadata["share passing (%)"] = round(100 * float(result.share), 2)
        metadata["failing"] = float(result.failing)
        metadata["judged"] = float(result.passing + result.failing)
    if result.set_aside:
        metadata["of these set aside at loading"] = float(result.set_aside)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=rule.name,
        passed=status in passed,
        severity=dg.AssetCheckSeverity.ERROR if status in (FAIL, ERROR) else dg.AssetCheckSeverity.WARN,
        description=_in_words(result, status),
        metadata=metadata,
    )


def _in_words(result: Result, status: str) -> str:
    if status == ERROR:
        return f"Rule {result.rule.name} could not run and counts 0: {result.problem}"
    if status == NOT_ASSESSED:
        return f"Not assessed: {result.problem}"
    detail = f" ({result.problem})" if result.problem else ""
    judged = result.passing + result.failing
    return f"{result.failing:,} of {judged:,} fail{detail}" if status in (WARN, FAIL) else f"{judged:,} pass"


def _score(asset: dg.AssetKey, measured: Measurement, published: bool) -> dg.AssetCheckResult:
    value = measured.score.value
    metadata: dict[str, Any] = {
        "rules": measured.rules_hash,
        "snapshot": str(measured.commit.snapshot_id),
        "readers see it": published or not measured.contract.is_gated,
    }
    if measured.as_of:
        metadata["as_of"] = str(measured.as_of)
    if value is not None:
        metadata["score"] = float(value)
        metadata |= {f"{name} (0-100)": float(share) for name, share in dimensions(measured.results).items()}
    if measured.faultless_percent is not None:
        metadata["rows free of any fault (%)"] = float(measured.faultless_percent)
    return _scored(asset, measured.contract, value, metadata)


def _scored(
    asset: dg.AssetKey, contract: Contract, value: float | None, metadata: dict[str, Any]
) -> dg.AssetCheckResult:
    target = contract.quality_target
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=SCORE,
        passed=value is None or target is None or value >= target,
        severity=dg.AssetCheckSeverity.WARN,
        description="Not assessed: no rule applies." if value is None else f"{value:.1f} of 100",
        metadata=metadata,
    )
