"""What an endpoint was promised at a time in the past."""

from openfm.scheduling.promised_time import PromisedTime, Spell


def spell(deployment: str, first: int, last: int, throughput: float) -> Spell:
    """READY in these minutes."""
    return Spell(deployment, first * 60, last * 60, throughput)


def test_a_minute_has_the_throughput_of_its_own_time() -> None:
    known = PromisedTime([spell("d", 12, 20, 100), spell("d", 10, 12, 40)], {"d": 100})
    assert [known.at(minute) for minute in (9, 10, 11, 12, 19, 20, 99)] == [0, 40, 40, 100, 100, 100, 100]


def test_an_outage_was_promised_too() -> None:
    known = PromisedTime([spell("d", 10, 12, 40), spell("d", 15, 16, 40)], {})
    assert [known.at(minute) for minute in (12, 14, 15, 16)] == [40, 40, 40, 0]


def test_deployments_of_an_endpoint_are_promised_together_while_they_are_there() -> None:
    known = PromisedTime([spell("old", 1, 5, 40), spell("new", 4, 9, 80)], {"new": 80})
    assert [known.at(minute) for minute in (3, 4, 5)] == [40, 120, 80]


def test_what_has_no_hours_yet_is_promised_as_it_is_now() -> None:
    assert PromisedTime([], {"d": 40}).at(7) == 40
