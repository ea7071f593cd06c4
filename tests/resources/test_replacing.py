"""Files written whole."""

import threading
from pathlib import Path

import pytest

from resources.replacing import replacing, unused


def test_a_file_takes_the_place_of_another_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old", encoding="utf-8")
    with replacing(target) as fresh:
        fresh.write_text("new", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old"
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("table.csv", "new")]


def test_a_file_that_was_not_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError), replacing(target) as fresh, fresh.open("w", encoding="utf-8") as file:
        file.writelines(["half", None])
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("table.csv", "old")]


def test_threads_of_one_process_that_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    together = threading.Barrier(4, timeout=20)
    faults: list[Exception] = []

    def write(letter: str) -> None:
        try:
            with replacing(target) as fresh:
                fresh.write_text(letter * 3, encoding="utf-8")
                together.wait()
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert target.read_text(encoding="utf-8") in {"aaa", "bbb", "ccc", "ddd"}
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_in_use_is_not_used_again(tmp_path: Path) -> None:
    for name in ("lake.db", "lake.db-2"):
        (tmp_path / name).touch()
    assert unused(tmp_path / "lake.db") == tmp_path / "lake.db-3"
    assert unused(tmp_path / "other.db") == tmp_path / "other.db"
