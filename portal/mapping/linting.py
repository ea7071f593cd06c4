"""What is wrong with a deployment that can be read off its files and the columns of its sources: nothing is built."""

from collections.abc import Iterator, Mapping

import dagster as dg

from c360_assets.definitions import build
from checks.measuring import problems
from governance import policy, product, rule_lint, subjects
from governance.actions import ASKED
from governance.contract import Column, Contract
from governance.contracts import ContractError, other_tables
from governance.errors import C360Error
from governance.rule_lint import Finding
from resources.deployment import Deployment
from resources.feeds import Feeds


def faults(deployment: Deployment) -> list[str]:
    """Everything that must be mended before a run can be trusted, a line each."""
    contracts = deployment.contracts
    found = [f"{file}: {finding}." for file, finding in findings(deployment) if finding.is_fault]
    for contract in contracts.values():
        for rule, problem in problems(deployment.engine, contracts, contract).items():
            found.append(str(ContractError(contract.files[-1], f"schema.quality.{rule}", problem)))
    found += [f"{deployment.policy_file.name}: {fault}." for fault in policy.faults(deployment.policy(), contracts)]
    found += [f"{product.FILE.name}: {fault}." for fault in product.faults(product.load(), contracts)]
    found += _of_subjects(contracts)
    found += _not_in_the_catalogue(deployment)
    found += _of_definitions(deployment)
    return [*found, *Feeds(deployment).faults(contracts[f"sources/{dataset}"] for dataset in deployment.feeds)]


def findings(deployment: Deployment) -> list[tuple[str, Finding]]:
    """What is worth a look in the rules of segments and of actions, each with the name of its file.

    RulesError, ActionsError, PlaybookError or ExclusionsError where a file of rules cannot be used.
    """
    deployment.playbook()
    deployment.exclusions()
    features, asked = deployment.contracts["features"], _said_by_models(deployment)
    found = {
        "rules": rule_lint.findings(deployment.rules().listed, features),
        "actions": rule_lint.findings(deployment.actions().listed, features, asked),
    }
    return [(deployment.rule_files[name].name, finding) for name, listed in found.items() for finding in listed]


def _said_by_models(deployment: Deployment) -> list[Column]:
    """What rules of actions may ask for beside features."""
    return [deployment.contracts[table].column(name) for table, names in ASKED.items() for name in names]


def not_assessed(deployment: Deployment) -> list[str]:
    """Of each dataset that no feed fills: how many rules nobody can judge for want of it, its own and others'."""
    notes = []
    for contract in deployment.contracts.values():
        if contract.layer == "sources" and contract.name not in deployment.feeds:
            asking = ", ".join(_asking(deployment, contract))
            others = f", nor are {asking}, which look into it" if asking else ""
            notes.append(
                f"No feed fills {contract.key}: its {len(contract.rules)} quality rules are not assessed{others}."
            )
    return notes


def _not_in_the_catalogue(deployment: Deployment) -> list[str]:
    """What is not to be recommended and is no product or category, once there is a catalogue to look it up in."""
    out, file = deployment.exclusions(), deployment.rule_files["exclusions"].name
    is_built = deployment.home.exists() and deployment.lake.state("products") is not None
    if not is_built or not list(out.unknown((), ())):
        return []
    known = deployment.read("products").select("product_id", "product_category").distinct().to_pyarrow()
    ids, categories = (set(column.drop_null().to_pylist()) for column in known.columns)
    return [f"{file}: {unknown}." for unknown in out.unknown(ids, categories)]


def _of_subjects(contracts: Mapping[str, Contract]) -> list[str]:
    """Tables that say something of people, and nothing tells of whom."""
    try:
        subjects.holdings(contracts)
    except subjects.SubjectError as fault:
        return str(fault).splitlines()
    return []


def _of_definitions(deployment: Deployment) -> list[str]:
    try:
        dg.Definitions.validate_loadable(build(deployment))
    except C360Error as fault:
        return str(fault).splitlines()
    except dg.DagsterError as fault:
        return [f"Dagster cannot load the tables: {' '.join(str(fault).split())}"]
    return []


def _asking(deployment: Deployment, dataset: Contract) -> Iterator[str]:
    """The rules of other tables that look into a dataset."""
    for contract in deployment.contracts.values():
        for rule in contract.declared_rules:
            if contract != dataset and dataset.key in [table for table, _ in other_tables(rule)]:
                yield f"{contract.key}.{rule.name}"
