"""Random draws: one independent stream per subject and chunk, so the order of the work changes nothing."""

import zlib

import numpy as np
import numpy.typing as npt

from examples.company.records import Floats, Ints


def stream(seed: int, subject: str, chunk: int = 0) -> np.random.Generator:
    """A generator that depends on (seed, subject, chunk) alone, never on threads or on other draws."""
    key = (zlib.crc32(subject.encode()), chunk)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


def weighted(rng: np.random.Generator, weights: npt.ArrayLike, size: int) -> Ints:
    """Codes 0 .. len(weights)-1, each as often as its weight says."""
    edges = np.cumsum(np.asarray(weights, dtype=float))
    return np.searchsorted(edges[:-1] / edges[-1], rng.random(size), side="right")


def weighted_by_row(rng: np.random.Generator, edges: Floats, rows: Ints) -> Ints:
    """One code per entry of `rows`, from that row of `edges` (rows x codes, cumulative, last column 1)."""
    draw = rng.random(len(rows), dtype=np.float32)
    code = np.zeros(len(rows), dtype=np.int8)
    for column in edges.T[:-1]:
        code += draw >= column[rows]
    return code


def gaps_us(rng: np.random.Generator, mean_seconds: float, size: int) -> Ints:
    """Exponential waiting times in whole microseconds."""
    return (rng.standard_exponential(size) * (mean_seconds * 1e6)).astype(np.int64)
