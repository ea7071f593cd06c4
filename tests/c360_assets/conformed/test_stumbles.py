"""Stumbles: each visit and place by itself; what they come to over all visits is in the tests of frictions."""

from datetime import datetime, timedelta
from typing import Any

from c360_assets.conformed.stumbles import stumbles
from tests.tables import at, computed, rows, table

MORNING = datetime(2026, 6, 1, 9)


def view(number: int, session: str | None, page: str | None, seconds: int, action: str = "page_view") -> dict[str, Any]:
    moment = MORNING + timedelta(seconds=seconds)
    return {
        "activity_uuid": str(number), "session_id": session, "activity_ts": moment, "event_action": action,
        "page_url": page,
    }  # fmt: skip


def test_each_visit_tells_where_it_failed_and_lost_its_way() -> None:
    events = [view(n, "lost", page, 60 * n) for n, page in enumerate(("/a?x=1", "/b", "/a", "/b", "/a"))]
    events += [view(10 + n, "failing", f"/error/{1000 + n}?id=1", 60 * n) for n in range(2)]
    events += [view(20 + n, "failing", "/error/1000", 60 * n + 7) for n in range(2)]
    events += [view(30 + n, "hasty", "/shoes", n) for n in range(5)]
    events += [view(40 + n, None, "/error", n) for n in range(2)]
    sessions = [{"session_id": name, "order_count": 0, "event_count": 5} for name in ("lost", "failing", "hasty")]
    found = computed(stumbles)(table("sources/web_analytics", *events), table("sessions", *sessions), at("2026-06-30"))
    assert rows(found, "session_id", "kind", "place", "example_count") == [
        ("failing", "repeated_failure", "/error/*", 3),
        ("hasty", "rage_repeat", "/shoes", 2),
        ("lost", "back_and_forth", "/a <> /b", 2),
    ]
