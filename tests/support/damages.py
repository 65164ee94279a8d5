"""Damage to the content of a file."""

import random


def damage(content: bytes, kind: str, chance: random.Random) -> bytes:
    """`content` after a random damage: `cut`, a flipped `bit`, or another `digit` (a bit, if it has none)."""
    if kind == "cut":
        return content[: chance.randrange(len(content))]
    digits = [place for place, byte in enumerate(content) if byte in b"0123456789"]
    if kind == "digit" and digits:
        place = chance.choice(digits)
        return content[:place] + b"1234567890"[content[place] - 48 :][:1] + content[place + 1 :]
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
