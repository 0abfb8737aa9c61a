"""One budget of threads, one slot to compute in."""

import os
import threading
import time

import pytest

from chinese_llm_rag.compute import FairSlot, compute_slot, limit_pools, thread_budget


def test_a_requested_number_of_threads_is_the_budget():
    assert thread_budget(3) == 3


def test_the_budget_is_the_cores_this_process_may_run_on(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert thread_budget() == 3


def test_where_the_system_does_not_say_the_budget_is_all_cores(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert thread_budget() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert thread_budget() == 1


def test_pools_that_load_later_are_told_their_threads_and_not_to_spin(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    limit_pools(2)
    assert os.environ == {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}


def test_what_the_user_has_set_for_pools_stays(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "7"})
    limit_pools(2)
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_only_one_thread_computes_at_a_time():
    inside = most = 0
    guard = threading.Lock()
    start = threading.Barrier(4)

    def work() -> None:
        nonlocal inside, most
        start.wait(10)
        for _ in range(50):
            with compute_slot():
                with guard:
                    inside += 1
                    most = max(most, inside)
                threading.Event().wait(0.0001)  # let the others try
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1


def test_a_part_inside_a_part_may_take_the_slot_again():
    with compute_slot(), compute_slot():
        pass


def test_the_slot_is_free_again_after_an_error():
    with pytest.raises(RuntimeError, match="failed"), compute_slot():
        raise RuntimeError("failed")
    taken = threading.Event()

    def take() -> None:
        with compute_slot():
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(10)
    assert taken.is_set()


def test_a_thread_of_short_steps_gets_its_share_beside_one_of_long_batches():
    used = {"batches": 0.0, "steps": 0.0}
    stop_at = time.monotonic() + 1.5

    def work(name: str, seconds: float) -> None:
        while time.monotonic() < stop_at:
            with compute_slot():
                started = time.monotonic()
                time.sleep(seconds)
                used[name] += time.monotonic() - started

    threads = [
        threading.Thread(target=work, args=("batches", 0.05)),
        threading.Thread(target=work, args=("steps", 0.002)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    # By turns the steps would have 4% of the time.
    assert used["steps"] > 0.25 * sum(used.values())


def test_the_slot_may_be_entered_again_by_its_holder_and_is_free_after_an_error():
    with pytest.raises(ValueError, match="inside"), compute_slot(), compute_slot():
        raise ValueError("inside")
    entered = threading.Event()

    def enter() -> None:
        with compute_slot():
            entered.set()

    other = threading.Thread(target=enter)
    other.start()
    other.join(5)
    assert entered.is_set()


def test_a_thread_that_has_computed_long_alone_is_not_shut_out_by_newcomers():
    slot = FairSlot()
    me, somebody = threading.current_thread(), threading.Thread()
    with slot.hold():
        pass
    slot._used_s[me] = 600.0
    slot._used_s[somebody], slot._left_at[somebody] = 0.1, time.monotonic()  # somebody who hardly ever computes
    stop_at = time.monotonic() + 1

    def newcomer() -> None:
        while time.monotonic() < stop_at:
            with slot.hold():
                time.sleep(0.02)

    other = threading.Thread(target=newcomer)
    other.start()
    n_turns = 0
    while other.is_alive():
        with slot.hold():
            time.sleep(0.001)
            n_turns += other.is_alive()
    other.join()
    assert n_turns > 20
