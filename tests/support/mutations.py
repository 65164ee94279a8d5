"""Random damage to files: to bytes, compressed bytes, texts, and JSON and XML trees."""

import copy
import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any
from xml.etree import ElementTree

NUMBERS = ("-1", "0", "0.5", "1e9", "1e400", "-1e400", "NaN", "Infinity", "2147483648", "9" * 30, "9" * 5000)
VALUES = (
    None,
    True,
    -1,
    0,
    0.5,
    10**9,
    10**30,
    1e308,
    float("nan"),
    "",
    "x",
    "../x",
    "/x",
    "a\nb",
    [],
    {},
    [[]],
)
SPECIAL = (b"\x00", b"\xff", b"\x00" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff" * 8)
_PNG = b"\x89PNG\r\n\x1a\n"
_DEEP = 3000
_SHOWN = 1_000_000  # characters of the largest document that is parsed as a tree


def mutate(content: bytes, rng: Random) -> bytes:
    """`content` with one to four faults of a random kind that suits its format."""
    kinds = [_bytes]
    if content[:2] == b"\x1f\x8b":
        kinds.append(_gzip)
    elif content.startswith(_PNG):
        kinds.append(_png)
    elif content.lstrip()[:1] == b"{" and len(content) < _SHOWN:
        kinds += [_json, _text]
    elif content.lstrip()[:1] == b"<" and len(content) < _SHOWN:
        kinds += [_xml, _text]
    elif b"\x00" not in content:
        kinds.append(_text)
    return rng.choice(kinds)(content, rng)


def _bytes(content: bytes, rng: Random) -> bytes:
    """Bit flips, special values, truncation, and chunks that are deleted, doubled or swapped."""
    mutant = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        # Headers are at the beginning, and parsers depend on them most.
        size = len(mutant)
        at = rng.randrange(min(size, 600) if rng.random() < 0.5 else size) if size else 0
        length = rng.choice((1, 2, 4, 16, max(1, size // 4)))
        other = rng.randrange(size) if size else 0
        kind = rng.randrange(7)
        if kind == 0 and size:
            mutant[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and size:
            value = rng.choice(SPECIAL)
            mutant[at : at + len(value)] = value
        elif kind == 2:
            mutant[at : at + length] = rng.randbytes(length)
        elif kind == 3:
            del mutant[at : at + length]
        elif kind == 4:
            mutant[other:other] = mutant[at : at + length]
        elif kind == 5:
            mutant[at : at + length], mutant[other : other + length] = (
                mutant[other : other + length],
                mutant[at : at + length],
            )
        elif rng.random() < 0.3:
            del mutant[at:]
    return bytes(mutant)


def _gzip(content: bytes, rng: Random) -> bytes:
    return gzip.compress(_bytes(gzip.decompress(content), rng), compresslevel=1, mtime=0)


def _png(content: bytes, rng: Random) -> bytes:
    """Damage with correct checksums, as in a hostile file."""
    chunks = _png_chunks(content)
    broken: set[int] = set()
    for _ in range(rng.randint(1, 3)):
        index = rng.randrange(len(chunks))
        name, data = chunks[index]
        if name == b"IDAT" and index not in broken and rng.random() < 0.7:
            data = zlib.compress(_bytes(zlib.decompress(data), rng))
        else:
            data = _bytes(data, rng)
            broken.add(index)
        chunks[index] = rng.choice(((name, data),) * 8 + ((b"tRNS", data), (b"iCCP", data)))
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return _PNG + b"".join(packed)


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Names and data of the chunks; chunks of the same name are joined."""
    chunks: dict[bytes, bytes] = {}
    at = len(_PNG)
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        name = content[at + 4 : at + 8]
        chunks[name] = chunks.get(name, b"") + content[at + 8 : at + 8 + length]
        at += 12 + length
    return list(chunks.items())


def _text(content: bytes, rng: Random) -> bytes:
    """Words that are deleted, swapped, repeated or replaced by unusual numbers."""
    words = _words(content.decode("utf-8", "replace"))
    for _ in range(rng.randint(1, 4)):
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        kind = rng.randrange(4)
        if kind == 0:
            words[at] = rng.choice(NUMBERS)
        elif kind == 1:
            words[at], words[other] = words[other], words[at]
        elif kind == 2:
            words[at] = ""
        else:
            words[at] *= rng.choice((2, 1000))
    return "".join(words).encode(rng.choice(("utf-8",) * 8 + ("utf-16", "utf-8-sig")))


def _words(text: str) -> list[str]:
    """Runs of letters and digits, and the characters between them."""
    words = [""]
    for character in text:
        if words[-1] and (words[-1][-1].isalnum() and character.isalnum()):
            words[-1] += character
        else:
            words.append(character)
    return words


def _json(content: bytes, rng: Random) -> bytes:
    document = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        parents = list(_parents(document))
        if not parents:
            break
        parent, key = rng.choice(parents)
        kind = rng.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif kind == 2:
            parent[key] = rng.choice(parents)[0]
            document = json.loads(_dumps(document))
        else:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    text = _dumps(document)
    if rng.random() < 0.05:
        text = text.replace("[", "[" * _DEEP, 1).replace("]", "]" * _DEEP, 1)
    return text.encode()


def _dumps(document: Any) -> str:
    """JSON text; null for a document that contains itself."""
    try:
        return json.dumps(document)
    except (ValueError, RecursionError):
        return "null"


def _parents(node: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value in a document."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        yield node, key
        yield from _parents(value)


def _xml(content: bytes, rng: Random) -> bytes:
    root = ElementTree.fromstring(content)
    for _ in range(rng.randint(1, 3)):
        parent = rng.choice(list(root.iter()))
        element = rng.choice(list(parent)) if len(parent) else parent
        kind = rng.randrange(5)
        if kind == 0 and element is not parent:
            parent.remove(element)
        elif kind == 1 and element is not parent:
            parent.append(copy.deepcopy(element))
        elif kind == 2:
            element.tag = rng.choice([other.tag for other in root.iter()])
        elif element.attrib:
            name = rng.choice(list(element.attrib))
            if kind == 3:
                del element.attrib[name]
            else:
                element.attrib[name] = rng.choice((*NUMBERS, "", "../x", "1,1", "1,1;2,2", ";;", "0," * 999))
    text = ElementTree.tostring(root, encoding="unicode")
    if rng.random() < 0.05:
        text = "<annotations>" * _DEEP + text + "</annotations>" * _DEEP
    return text.encode()
