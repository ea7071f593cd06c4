"""Hold contracts against the standard they follow; run in the environment of the contract linter.

All in one process, since the linter takes longer to start than to look: `python tests/lint_contracts.py FILE ...`
"""

import sys
from collections.abc import Iterator, Sequence

from datacontract.data_contract import DataContract
from datacontract.model.run import ResultEnum


def refused(files: Sequence[str]) -> Iterator[str]:
    """What the linter says of each file that it does not pass."""
    for file in files:
        run = DataContract(data_contract_file=file).lint()
        if run.result != ResultEnum.passed:
            reasons = (f"  {check.name}: {check.reason}" for check in run.checks if check.result != ResultEnum.passed)
            yield "\n".join([f"datacontract lint refuses {file}", *reasons])


if __name__ == "__main__":
    sys.exit("\n".join(refused(sys.argv[1:])) or 0)
