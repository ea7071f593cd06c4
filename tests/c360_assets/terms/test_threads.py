"""One thread: whatever was loaded by then, and only for as long as it is asked for."""

from threadpoolctl import threadpool_info, threadpool_limits

from c360_assets.terms.threads import one_thread


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_has_one_thread_within_and_what_it_had_before_after() -> None:
    with threadpool_limits(2):
        before = threads()
        for _ in range(2):
            with one_thread():
                assert threads() == {1}
            assert threads() == before
