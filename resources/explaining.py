"""What a fault of the machine, of a disk or of a damaged file means for a deployment, and what to do about it.

Libraries tell of the same fault by errors of many kinds, so it is known by what they say.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from resources.deployment import Deployment

# How Python tells of the file that an error of the system is about.
PLACE = re.compile(r"\[Errno \d+\] [^:]+: '([^']+)'")
SIGNS: Mapping[str, str] = {
    "No space left on device|disk is full|[Dd]isk quota exceeded|File too large|disk I/O error": (
        "The disk that holds {home} takes nothing more (full, a quota used up, or broken); nothing is half-written."
        " Free some space on it (c360 purge deletes what killed runs left behind), then do the same again."
    ),
    "Read-only file system|readonly database|Permission denied": (
        "{place} cannot be read or written. Give the user of this process the right to do so, then do the same again."
    ),
    "Not a directory|Is a directory|File exists": (
        "{place} is a file where a folder is needed, or the other way round. Put it aside, then do the same again."
    ),
    "disabled by configuration": (
        "A file lies where this process may not look: it reaches the lake and the files of the connectors, as they were"
        " when it started. If a folder or a link was added since, start it again."
    ),
    "file is not a database|database disk image is malformed": (
        "A database below {home} is damaged. See which, and put it aside: c360 doctor --repair"
    ),
    "Out of Memory Error": (
        "The engine has not enough memory ({memory}). Raise `engine: {{memory_limit: ...}}` in {file}, or see that the"
        " disk of the temporary folder has room."
    ),
}


def explained(deployment: Deployment, text: str) -> str | None:
    """What an error that reads `text` means, and what to do; None where it is none of the machine's."""
    # Only then is the lake opened, which a fault of the home itself would not allow.
    if str(deployment.warehouse) in text and (damage := deployment.lake.damage(text)):
        return damage
    explanation = next((explanation for sign, explanation in SIGNS.items() if re.search(sign, text)), None)
    settings = deployment.settings
    return explanation and explanation.format(
        place=_place(text) or f"Something below {deployment.home}",
        home=deployment.home,
        memory=settings.engine.memory_limit,
        file=deployment.file.name,
    )


def _place(text: str) -> Path | None:
    """The file or folder that an error of the system is about; what of the way to it is there, where it is not."""
    named = PLACE.search(text)
    return next((one for one in (Path(named[1]), *Path(named[1]).parents) if one.exists()), None) if named else None
