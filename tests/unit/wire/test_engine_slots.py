import msgspec

from openfm.wire.engine_slots import kv_cache_ratio


def slot(**fields: object) -> dict[str, object]:
    return {"id": 0, "n_ctx": 512, "is_processing": False} | fields


def test_the_cache_is_held_by_requests_under_way_with_what_they_made_already() -> None:
    busy = slot(is_processing=True, n_prompt_tokens=100, next_token=[{"n_decoded": 28, "n_remain": 5}])
    assert kv_cache_ratio(msgspec.json.encode([busy, slot()])) == 0.125


def test_what_an_idle_slot_keeps_for_later_does_not_count() -> None:
    kept = slot(n_prompt_tokens=400, next_token=[{"n_decoded": 100}])
    assert kv_cache_ratio(msgspec.json.encode([kept, slot()])) == 0.0


def test_without_slots_nothing_is_known() -> None:
    assert kv_cache_ratio(b"[]") is None
