"""kubelet's restart back-off."""

from nodeagent.pods.backoff import BackOff, advance, remaining


def test_the_first_restart_does_not_wait() -> None:
    assert remaining(None, event_time=100, now=100) == 0


def test_delays_double_from_ten_seconds_to_five_minutes() -> None:
    entry, now, delays = None, 0.0, []
    for _ in range(8):
        entry = advance(entry, now, now)
        delays.append(entry.delay)
        now += entry.delay
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


def test_the_wait_counts_from_the_end_of_the_run() -> None:
    entry = BackOff(40, updated=0)
    assert remaining(entry, event_time=5, now=15) == 30
    assert remaining(entry, event_time=5, now=45) == 0


def test_ten_minutes_without_trouble_are_forgiven() -> None:
    entry = BackOff(300, updated=0)
    assert remaining(entry, event_time=600, now=600) == 300
    assert remaining(entry, event_time=601, now=601) == 0
    assert advance(entry, event_time=601, now=601).delay == 10


def test_a_node_may_wait_less() -> None:
    entry = advance(None, 0, 0, maximum=1)
    assert (entry.delay, advance(entry, 1, 1, maximum=1).delay) == (1, 1)
    assert remaining(entry, event_time=599, now=599) == 1, "it is remembered as long as ever"
