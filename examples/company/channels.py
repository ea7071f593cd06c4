"""How visitors come: traffic channels with the true probability that a session of theirs ends in an order."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Channel(NamedTuple):
    """One traffic channel: share of all sessions, true conversion, sources with shares, eagerness to stay."""

    name: str
    share: float
    conversion: float
    sources: dict[str, float]
    stays: float
    campaigns: tuple[str, ...] = ()
    click_cents: float = 0.0
    view_cents: float = 0.0  # per impression, or per e-mail opened


_SEARCH_SOURCES = {"google": 0.8, "bing": 0.2}
_SOCIAL_SOURCES = {"instagram": 0.6, "facebook": 0.4}
_MAIL_SOURCES = {"newsletter": 0.8, "win_back": 0.2}
_DISPLAY_SOURCES = {"adnetwork": 0.7, "partner": 0.3}
CHANNELS = (
    Channel("organic", 0.30, 0.12, {"google": 0.85, "bing": 0.15}, 1.0),
    Channel("paid_search", 0.18, 0.13, _SEARCH_SOURCES, 1.0, ("brand_terms", "category_terms"), 65, 0.8),
    Channel("social", 0.14, 0.07, _SOCIAL_SOURCES, 0.8, ("creators", "new_season"), 45, 0.6),
    Channel("email", 0.14, 0.20, _MAIL_SOURCES, 1.2, ("weekly_letter", "win_back"), 4, 0.4),
    Channel("direct", 0.17, 0.17, {"direct": 1.0}, 1.2),
    Channel("display", 0.07, 0.05, _DISPLAY_SOURCES, 0.7, ("retargeting", "prospecting"), 35, 0.5),
)
NAMES = tuple(channel.name for channel in CHANNELS)
SHARES = np.array([channel.share for channel in CHANNELS])
CONVERSION = np.array([channel.conversion for channel in CHANNELS])
MEAN_CONVERSION = float(SHARES @ CONVERSION)
SOURCES = tuple(dict.fromkeys(source for channel in CHANNELS for source in channel.sources))


def source_edges() -> np.ndarray:
    """Channels x sources, cumulative: which source a session of each channel names."""
    shares = np.array([[channel.sources.get(source, 0.0) for source in SOURCES] for channel in CHANNELS])
    edges = np.cumsum(shares, axis=1)
    # A draw just below 1 must not fall past a channel's last source.
    edges[edges > 1 - 1e-9] = 1.0
    return edges.astype(np.float32)


def effect_table() -> pa.Table:
    """One row per channel: the order probability of its sessions, and that over the mean of all sessions."""
    return pa.table(
        {
            "traffic_channel": pa.array(NAMES),
            "conversion_rate": pa.array(CONVERSION),
            "lift": pa.array(CONVERSION / MEAN_CONVERSION),
        }
    )
