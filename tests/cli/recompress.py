#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""recompress.py FLATTENED METHOD PLAIN: writes a flattened kdump file as a plain one, its pages by another METHOD: raw, zlib, lzo,
snappy or zstd. Of LZO and Snappy only zeros at the end of a page are put together, which needs no library."""
import struct
import subprocess
import sys
import zlib

# makedumpfile, diskdump_mod.h: DUMP_DH_COMPRESSED_ZLIB and so on.
FLAGS = {"raw": 0, "zlib": 1, "lzo": 2, "snappy": 4, "zstd": 0x20}
PAGE = 4096


def unflattened(path):
    """All of a flattened file: see tools/iopt/dump.c."""
    with open(path, "rb") as file:
        records = file.read()
    whole, at = bytearray(), PAGE
    while True:
        offset, size = struct.unpack_from(">qq", records, at)
        if offset < 0:
            return whole
        whole.extend(bytes(max(0, offset + size - len(whole))))
        whole[offset : offset + size] = records[at + 16 : at + 16 + size]
        at += 16 + size


def lengths(value):
    """LZO's: as many zeros as there are 255s in it, then the rest, which is not 0."""
    return bytes((value - 1) // 255) + bytes([(value - 1) % 255 + 1])


def lzo(head, zeros):
    """Linux, Documentation/staging/lzo.rst: 18 literals and more, a copy of 33 and more from one byte before, the end."""
    return b"\0" + lengths(len(head) - 18) + head + b"\x20" + lengths(zeros - 33) + b"\0\0" + b"\x11\0\0"


def snappy(head, zeros):
    """Snappy's format_description.txt: 4096, a literal, copies of 64 bytes at most from one byte before."""
    copies = [64] * (zeros // 64) + [zeros % 64] * (zeros % 64 > 0)
    literal = b"\xf4" + struct.pack("<H", len(head) - 1) + head
    return b"\x80\x20" + literal + b"".join(struct.pack("<BH", size - 1 << 2 | 2, 1) for size in copies)


def compressed(page, method):
    """Of 4096 bytes; as many or more: not worth it."""
    if method == "zlib":
        return zlib.compress(page)
    if method == "zstd":
        return subprocess.run(["zstd", "-qc"], input=page, stdout=subprocess.PIPE, check=True).stdout
    used = len(page.rstrip(b"\0"))
    if method == "raw" or used > PAGE - 512:
        return page
    head = max(used + 1, 32)
    return {"lzo": lzo, "snappy": snappy}[method](page[:head], PAGE - head)


def main():
    flattened, method, plain = sys.argv[1:]
    dump = unflattened(flattened)
    # QEMU, include/sysemu/dump.h: DiskDumpHeader64 (status, block_size, sub_hdr_size, bitmap_blocks), PageDescriptor.
    _, block, sub, bitmaps = struct.unpack_from("<4I", dump, 424)
    assert block == PAGE
    bitmap = dump[(1 + sub + bitmaps // 2) * PAGE : (1 + sub + bitmaps) * PAGE]
    struct.pack_into("<I", dump, 424, FLAGS[method])
    first = (1 + sub + bitmaps) * PAGE
    nr = bin(int.from_bytes(bitmap, "little")).count("1")
    out, places = dump[: first + 24 * nr], {}
    for at in range(first, first + 24 * nr, 24):
        offset, size, flags, _ = struct.unpack_from("<QIIQ", dump, at)
        if offset not in places:
            page = bytes(dump[offset : offset + size])
            page = zlib.decompress(page) if flags & 1 else page
            data = compressed(page, method)
            # libkdumpfile 0.5.1 has no room for what takes more than a page, and makedumpfile writes no such file.
            data, used = (data, FLAGS[method]) if len(data) < PAGE else (page, 0)
            places[offset] = (len(out), len(data), used, 0)
            out += data
        struct.pack_into("<QIIQ", out, at, *places[offset])
    with open(plain, "wb") as file:
        file.write(out)


main()
