"""Litter: what killed processes left behind. It goes once it is so old that nobody can be at work with it."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from resources.deployment import Deployment
from resources.engine import SCRATCH
from resources.expiry import GUARD_SECONDS
from resources.files import Sample


@dataclass(frozen=True)
class Purged:
    """How many files of tables and how many folders of killed processes were deleted, and damaged tables left alone."""

    files: int
    folders: int
    left_alone: list[str]

    def __str__(self) -> str:
        summary = f"Deleted {self.files:,} files that no table knows and {self.folders:,} folders of killed processes."
        if self.left_alone:
            summary += f" Left alone, because they are damaged: {', '.join(self.left_alone)}. See: c360 doctor"
        return summary


def purge(deployment: Deployment) -> Purged:
    """Delete the litter of a deployment, and the scratch folders of all on this machine, that is a day old."""
    files, left_alone = deployment.lake.sweep()
    young = time.time() - GUARD_SECONDS
    old = [folder for folder in _folders(deployment) if _youngest(folder) < young and not _is_in_use(folder)]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return Purged(files, sum(not folder.exists() for folder in old), left_alone)


def _folders(deployment: Deployment) -> Iterable[Path]:
    """Folders of intermediate files, and sample companies half made."""
    yield from Path(tempfile.gettempdir()).glob(f"{SCRATCH}*")
    for connector in deployment.settings.connectors.values():
        if isinstance(connector, Sample):
            yield from (deployment.folder / connector.path).glob(".customers-*")


def _is_in_use(folder: Path) -> bool:
    """Whether the process that made a folder of intermediate files is alive: a daemon may need it again after days."""
    number = re.match(rf"{SCRATCH}(\d+)-", folder.name)
    if number is None:
        return False
    try:
        os.kill(int(number[1]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def _youngest(folder: Path) -> float:
    """When something below a folder was written last."""
    times = []
    for path in (folder, *folder.rglob("*")):
        try:
            times.append(path.stat().st_mtime)
        except FileNotFoundError:  # whoever is at work with it
            return time.time()
    return max(times)
