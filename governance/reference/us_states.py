"""The states of the United States with their two-letter codes (source: ISO 3166-2:US)."""

import csv
from functools import cache
from pathlib import Path


@cache
def names_by_code() -> dict[str, str]:
    """State names by code, such as {'CA': 'California'}."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return {row["state_code"]: row["state"] for row in csv.DictReader(file)}
