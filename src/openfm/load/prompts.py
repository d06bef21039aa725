"""Prompts of a wanted length that no cache has seen."""

import random

# Each is one token, its blank included, in the vocabularies of the GPT-2, Llama and SmolLM2 families.
_TEXT = """
time year people way day man thing woman life child world school state family student group country problem hand
part place case week company system program question work government number night point home water room mother area
money story fact month lot right study book eye job word business issue side kind head house service friend father
power hour game line end member law car city community name president team minute idea body information back parent
face others level office door health person art war history party result change morning reason research girl guy
moment air teacher force education
"""
_WORDS = _TEXT.split()


def random_prompt(tokens: int, chance: random.Random, shared: str = "") -> str:
    """About `tokens` tokens of common English words, `shared` first.

    The words after `shared` differ from the first on, so that a prefix cache holds `shared` and nothing more. How many
    tokens it really was, the server's `usage` says.
    """
    missing = max(1, tokens - len(shared.split()))
    words = " ".join(chance.choices(_WORDS, k=missing))
    return f"{shared} {words}" if shared else words


def shared_prefix(tokens: int, chance: random.Random) -> str:
    """What all prompts of a run may begin with: about `tokens` tokens; empty for 0."""
    return " ".join(chance.choices(_WORDS, k=tokens))
