#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""acpi.py IMAGE WORD...: writes ACPI tables into a raw image of memory that begins at 0, and registers that they lead to.

Words: dmar, ivrs, iort, rimt: that table, with a unit at 0x300000 whose registers are there; two: with one more at
0x301000; far: its registers are at 0xfed90000, beyond the image; rsdt: addresses of 4 bytes; ebda: the RSDP is where the
BIOS's data area is; high: at 0x2000000, where nobody looks. What is wrong: rsdp-sum, xsdt-sum, dmar-sum,
xsdt-long, xsdt-gone, dmar-long, dmar-gone, no-size, past-end, itself (the XSDT lists itself, thousands of times),
old (the RSDP of another ACPI, damaged, comes first).
"""
import struct
import sys

ROOTS = {  # offset and value of registers
    "dmar": [(0x20, "<Q", 0x46B7000), (0x1C, "<I", 1 << 31)],
    "ivrs": [(0x0, "<Q", 0x3AAE001), (0x18, "<Q", 1)],
    "iort": [(0x80, "<Q", 0x1000000), (0x88, "<I", 4), (0x20, "<I", 1)],
    "rimt": [(0x10, "<Q", 0x1000000 >> 12 << 10 | 2), (0x0, "<Q", 0x10 | 1 << 22)],
}


def closed(data, at, wrong=False):
    """With the byte at AT, all sum up to 0."""
    data = bytearray(data)
    data[at] = 0
    data[at] = (-sum(data) + wrong) & 255
    return bytes(data)


def table(signature, body, wrong=False, size=None):
    size = 36 + len(body) if size is None else size
    return closed(signature + struct.pack("<I", size) + bytes(28) + body, 9, wrong)


def units(words, kind):
    bases = [0xFED90000 if "far" in words else 0x300000] + [0x301000] * ("two" in words)
    size = 0 if "no-size" in words else 600 if "past-end" in words else None
    body = b""
    for base in bases:
        if kind == "dmar":
            scopes = bytes([3, 8, 0, 0, 0, 0xFF, 0, 0]) + bytes([1, 8, 0, 0, 0, 0, 2, 0]) * 20
            body += struct.pack("<HHBBHQ", 0, 16 + len(scopes) if size is None else size, 0, 0, 7, base) + scopes
        if kind == "ivrs":
            for form in (0x10, 0x11):
                body += struct.pack("<BBHHHQH", form, 0, 40 if size is None else size, 8, 64, base, 0) + bytes(22)
        if kind == "iort":
            body += struct.pack("<BHBIII", 0, 24, 1, 0, 0, 0) + bytes(8)
            body += struct.pack("<BHBIIIQ", 4, 68 if size is None else size, 1, 0, 0, 0, base) + bytes(44)
        if kind == "rimt":
            body += struct.pack("<BBHHH", 0, 1, 40 if size is None else size, 0, 0) + bytes(8)
            body += struct.pack("<QIIHHHH", base, 1, 0, 3, 0x0108, 0, 0)
    if kind in ("dmar", "ivrs"):
        return bytes(12) + body
    return struct.pack("<III", 1, 48, 0) + body


def write(path, words):
    kinds = [kind for kind in ROOTS if kind in words]
    rsdt = "rsdt" in words
    pieces, lists = {}, []
    for i, kind in enumerate(kinds):
        at = 0x201000 + 0x1000 * i - 40  # over the edge of a page
        pieces[at] = table(kind.upper().encode(), units(words, kind), "dmar-sum" in words,
                           0xFFFFFFF0 if "dmar-long" in words else None)
        lists.append(at)
    if "dmar-gone" in words:
        lists = [0x70000000]
    lists = [0x70000000, 0x210000] + lists
    if "itself" in words:
        lists = [0x200000] * 5000 + lists
    body = b"".join(struct.pack("<I" if rsdt else "<Q", at) for at in lists)
    pieces[0x210000] = table(b"APIC", bytes(8))
    pieces[0x200000 if "itself" not in words else 0x220000] = table(
        b"RSDT" if rsdt else b"XSDT", body, "xsdt-sum" in words, 0x7FFFFFFF if "xsdt-long" in words else None)
    top = 0x220000 if "itself" in words else 0x90000000 if "xsdt-gone" in words else 0x200000
    rsdp = b"RSD PTR " + bytes(7) + struct.pack("<BIIQ", 0 if rsdt else 2, top if rsdt else 0, 36, 0 if rsdt else top)
    rsdp = closed(closed(rsdp[:20], 8, "rsdp-sum" in words) + rsdp[20:] + bytes(4), 32)
    if "old" in words:
        pieces[0xE0000] = b"RSD PTR " + bytes(28)
    pieces[0x9FC00 + 0x40 if "ebda" in words else 0x2000000 if "high" in words else 0xFFFE0 - 0x20] = rsdp
    pieces[0x40E] = struct.pack("<H", 0x9FC0 if "ebda" in words else 0)
    for base in (0x300000, 0x301000):
        for kind in kinds:
            for offset, form, value in ROOTS[kind]:
                pieces[base + offset] = struct.pack(form, value)
    with open(path, "r+b") as image:
        for at, piece in pieces.items():
            image.seek(at)
            image.write(piece)


write(sys.argv[1], sys.argv[2:])
