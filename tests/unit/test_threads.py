"""One thread for linear algebra."""

from __future__ import annotations

from threadpoolctl import threadpool_info, threadpool_limits

from captum_spex.threads import one_thread


def test_one_thread_is_used_inside_only() -> None:
    with threadpool_limits(2):
        before = [pool["num_threads"] for pool in threadpool_info()]
        for _ in range(2):  # looked for, then remembered
            with one_thread():
                assert {pool["num_threads"] for pool in threadpool_info()} == {1}
            assert [pool["num_threads"] for pool in threadpool_info()] == before
    assert 2 in before
