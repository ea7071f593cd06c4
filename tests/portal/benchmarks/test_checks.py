"""The benchmark of the checks compares like with like: both sides find the same faults."""

from pathlib import Path

from portal.benchmarks import checks as checks_benchmark
from resources import deployment as deployments


def test_the_rules_and_the_hand_written_query_count_alike(tmp_path: Path) -> None:
    deployment = deployments.load(checks_benchmark.company(tmp_path, 5_000))
    _, ours = checks_benchmark.by_rules(deployment)
    _, theirs = checks_benchmark.by_hand(deployment)
    deployment.close()
    assert {name: ours[name] for name in theirs} == theirs
    assert sum(count > 0 for count in theirs.values()) >= 14
    assert 0 < theirs["faultless"] < theirs["rows"]
