"""The benchmark of age: that it writes as often as it says, in three ways, and that the files stay few."""

import re

from rich.console import Console

from portal.benchmarks import aging as aging_benchmark


def test_all_kinds_are_written_so_often_and_their_files_are_counted() -> None:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(aging_benchmark.writes(20))
    told = capture.get()
    for kind in aging_benchmark.KINDS:
        cells = r"│ +\d+ │ +\d+ │ +\d+ │ +\d+ │ +\d+\.\d\d │ +\d+\.\d\d"
        found = re.findall(rf"│ {kind} +│ +(\d+) {cells} │ +(\d+) │", told)
        assert [int(times) for times, _ in found] == [10, 20], told
        (_, early), (_, late) = found
        assert 10 < int(early) < int(late) <= 2 * int(early)
