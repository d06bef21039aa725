"""llama.cpp's page of slots: what each sequence holds."""

import msgspec


class _Step(msgspec.Struct):
    n_decoded: int = 0


class _Slot(msgspec.Struct):
    n_ctx: int = 0
    is_processing: bool = False
    n_prompt_tokens: int = 0
    next_token: list[_Step] = []


_SLOTS = msgspec.json.Decoder(list[_Slot])


def kv_cache_ratio(page: bytes) -> float | None:
    """The share of the KV cache that requests under way hold, 0 to 1; None where it has no size.

    What idle slots keep for the next request with the same beginning does not count: it gives way.
    """
    slots = _SLOTS.decode(page)
    size = sum(slot.n_ctx for slot in slots)
    held = sum(
        slot.n_prompt_tokens + sum(step.n_decoded for step in slot.next_token) for slot in slots if slot.is_processing
    )
    return min(1.0, held / size) if size else None
