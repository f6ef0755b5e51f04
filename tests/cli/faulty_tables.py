#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""faulty_tables.py CASE: memory with an IOMMU's tables in it that have one fault, for `iopt check`.

Writes into the current folder `image`, which is a raw image from address 0 on or an ELF core; `options`, what the command
has to be given besides, a line each; and `expected`, what it has to find: the first eight columns of its tsv, and how often.
Without CASE: prints the names of all.
"""

import struct
import sys

PAGE = 4096
MIB = 1 << 20
SIZE = 8 * MIB
READ, WRITE = 1, 2
DEVICE, OTHER = 8, 16  # 00:01.0, 00:02.0
NAMES = {0: '00:00.0', DEVICE: '00:01.0', OTHER: '00:02.0'}
BUFFER = 3 * MIB  # memory that is nobody's table
BLOCK = 4 * MIB


class Memory:
    """Memory, and the way to a device's tables."""

    unit = 'vtd'
    levels = 3
    first_table = 0x10000

    def __init__(self):
        self.words = {}
        self.next = self.first_table
        self.expected = []
        self.options = ['--base', '0', *self.where()]

    @staticmethod
    def where():
        return ['--root', '0x1000']

    def store(self, pa, value):
        self.words[pa] = value

    def load(self, pa):
        return self.words.get(pa, 0)

    def table(self):
        self.next += PAGE
        return self.next - PAGE

    def device(self, device, root, domain=1, kind=0, width=1):
        """A legacy context entry; the widths are those of levels."""
        self.store(0x1000, 0x2000 | 1)
        self.store(0x2000 + device * 16, root | kind << 2 | 1)
        self.store(0x2000 + device * 16 + 8, width | domain << 8)
        return 0x2000 + device * 16

    @staticmethod
    def leaf(pa, level, bits):
        return pa | bits | (0x80 if level else 0)

    @staticmethod
    def to_table(pa, level):
        del level
        return pa | READ | WRITE

    @staticmethod
    def table_of(entry):
        return entry & 0xffffffff000

    def slot(self, root, iova, level=0):
        """Address of the entry that translates iova, at a level; tables on the way are made."""
        table = root
        for above in range(self.levels - 1, level, -1):
            entry = table + (iova >> 12 + 9 * above & 511) * 8
            if not self.load(entry):
                self.store(entry, self.to_table(self.table(), above))
            table = self.table_of(self.load(entry))
        return table + (iova >> 12 + 9 * level & 511) * 8

    def map(self, root, iova, pa, level=0, bits=READ | WRITE):
        slot = self.slot(root, iova, level)
        self.store(slot, self.leaf(pa, level, bits))
        return slot

    def start(self):
        """Tables of one device in which nothing is wrong."""
        root = self.table()
        self.device(DEVICE, root)
        self.map(root, 0x100000, BUFFER)
        self.map(root, 0x40000000, BLOCK, 1)
        return root

    def expect(self, severity, kind, device=DEVICE, iova=None, level=None, at=None, entry=True, count=1):
        """A finding at an entry, whose value is looked up; entry=False: there is none to tell."""
        value = self.load(at) if at and entry else 0
        self.expected.append('\t'.join([
            severity, kind, NAMES.get(device, '-'), '-', '-' if level is None else hex(iova),
            '-' if level is None else str(level), hex(at) if at is not None else '-', hex(value) if value else '-', str(count)]))

    def image(self):
        image = bytearray(SIZE)
        for pa, value in self.words.items():
            struct.pack_into('<Q', image, pa, value)
        return image


class Amd(Memory):
    """A device table of one page, tables of version 1."""

    unit = 'amd'

    @staticmethod
    def where():
        return ['--device-table', '0x1000']

    def device(self, device, root, domain=1, mode=3, marks=0, kind=0):
        del kind
        at = 0x1000 + device * 32
        self.store(at, root | 3 | marks << 7 | mode << 9 | 3 << 61)
        self.store(at + 8, domain)
        self.levels = mode
        return at

    @staticmethod
    def leaf(pa, level, bits, size=0):
        return pa | 1 | size << 9 | bits << 61

    @staticmethod
    def to_table(pa, level):
        return pa | 1 | level << 9 | 3 << 61


class Arm(Memory):
    """A linear stream table, a context descriptor each, stage 1 of 39 bits."""

    unit = 'smmuv3'
    READ_WRITE = 1 << 10 | 1 << 6 | 1 << 2 | 3  # AF, EL0, AttrIndx 1, a page

    @staticmethod
    def where():
        return ['--stream-table', '0x1000,0x5']

    def device(self, device, root, domain=1):
        at = 0x1000 + device * 64
        cd = 0x3000 + device * 64
        self.store(at, cd | 5 << 1 | 1)
        # T0SZ, EPD1, V, IPS 48 bits, AA64, ASID
        self.store(cd, 25 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | domain << 48)
        self.store(cd + 8, root)
        return cd

    @staticmethod
    def leaf(pa, level, bits):
        return pa | (bits & ~2 if level else bits)

    @staticmethod
    def to_table(pa, level):
        del level
        return pa | 3

    def map(self, root, iova, pa, level=0, bits=READ_WRITE):
        return super().map(root, iova, pa, level, bits)


class Riscv(Memory):
    """A device directory of one level, base format, Sv39."""

    unit = 'riscv'
    READ_WRITE = 0xd7  # V, R, W, U, A, D

    @staticmethod
    def where():
        return ['--ddt', hex(0x1000 >> 2 | 2) + ',0x10']

    def device(self, device, root, domain=1):
        at = 0x1000 + device * 32
        self.store(at, 1)
        self.store(at + 16, domain << 12)
        self.store(at + 24, root >> 12 | 8 << 60)
        return at

    @staticmethod
    def leaf(pa, level, bits):
        del level
        return pa >> 2 | bits

    @staticmethod
    def to_table(pa, level):
        del level
        return pa >> 2 | 1

    @staticmethod
    def table_of(entry):
        return entry >> 10 << 12

    def map(self, root, iova, pa, level=0, bits=READ_WRITE):
        return super().map(root, iova, pa, level, bits)


class Scalable(Memory):
    """VT-d's scalable mode: a PASID directory and one table for the device."""

    @staticmethod
    def where():
        return ['--root', '0x1400']

    def device(self, device, root, domain=1, kind=2, first=0, pasid=0, marks=0):
        self.store(0x1000, 0x2000 | 1)
        self.store(0x2000 + device * 32, 0x4000 + device * PAGE | 1 << 3 | 1)
        self.store(0x2000 + device * 32 + 8, 0)
        self.store(0x4000 + device * PAGE, 0x200000 + device * PAGE | 1)
        at = 0x200000 + device * PAGE + pasid * 64
        self.store(at, root | marks << 9 | kind << 6 | 1 << 2 | 1)
        self.store(at + 8, domain)
        self.store(at + 16, first)
        return at

    first_table = 0x100000


CASES = {}


def case(memory):
    def add(function):
        CASES[function.__name__.replace('_', '-')] = (memory, function)
        return function
    return add


# ---- nothing wrong -------------------------------------------------------------------------------------------------

@case(Memory)
def clean(m):
    m.start()


@case(Amd)
def clean_amd(m):
    m.start()


@case(Arm)
def clean_arm(m):
    m.start()


@case(Riscv)
def clean_riscv(m):
    m.start()


@case(Scalable)
def clean_scalable(m):
    m.start()


@case(Amd)
def clean_skipped_level(m):
    """An entry of level 2 that leads to a table of level 0, behind a way with all levels."""
    low = m.table()
    m.store(m.slot(m.start(), 0x80000000, 2), m.to_table(low, 1))
    m.store(low + 8, m.leaf(BUFFER + 4 * PAGE, 0, READ | WRITE))


# ---- the unit ------------------------------------------------------------------------------------------------------

@case(Riscv)
def unit_off(m):
    """Bare: nothing is translated, and there is nothing to check."""
    m.options = ['--base', '0', '--ddt', '1,0']
    m.expect('error', 'unit-off', None)
    m.expect('note', 'no-devices', None)


@case(Riscv)
def unit_refuses(m):
    """The mode off: all requests are refused."""
    m.options = ['--base', '0', '--ddt', '0,0']
    m.expect('note', 'no-devices', None)


@case(Memory)
def no_devices(m):
    m.expect('note', 'no-devices', None)


# ---- entries -------------------------------------------------------------------------------------------------------

@case(Memory)
def reserved_bits(m):
    root = m.start()
    for i in range(3):
        m.map(root, 0x105000 + i * PAGE, BUFFER + PAGE, bits=READ | 1 << 62)
    m.expect('error', 'reserved-bits', iova=0x105000, level=0, at=m.slot(root, 0x105000), count=3)


@case(Riscv)
def reserved_bits_riscv(m):
    slot = m.map(m.start(), 0x105000, BUFFER + PAGE, bits=Riscv.READ_WRITE | 1 << 54)
    m.expect('error', 'reserved-bits', iova=0x105000, level=0, at=slot)


@case(Memory)
def misaligned(m):
    slot = m.map(m.start(), 0x40200000, BLOCK + PAGE, 1)
    m.expect('error', 'misaligned', iova=0x40200000, level=1, at=slot)


@case(Amd)
def bad_run_size(m):
    slot = m.slot(m.start(), 0x105000)
    m.store(slot, m.leaf(0xff000, 0, READ | WRITE, 7))
    m.expect('error', 'bad-run-size', iova=0x105000, level=0, at=slot)


@case(Amd)
def bad_level(m):
    slot = m.slot(m.start(), 0x200000, 1)
    m.store(slot, m.to_table(0x20000, 3))
    m.expect('error', 'bad-level', iova=0x200000, level=1, at=slot)


@case(Memory)
def bad_level_of_two(m):
    """A table of level 1 that another entry takes for one of level 0."""
    root = m.start()
    slot = m.slot(root, 0x40200000, 1)
    m.store(slot, m.load(m.slot(root, 0x40000000, 2)))
    other = m.slot(root, 0x80000000, 2)
    m.store(other, m.to_table(m.table(), 2))
    m.store(m.slot(root, 0x80000000, 1), m.to_table(m.slot(root, 0x100000, 1) & ~4095, 1))
    m.expect('error', 'bad-level', iova=0x80000000, level=1, at=m.slot(root, 0x80000000, 1))
    # That leads to its own table.
    m.expect('error', 'loop', iova=0x40200000, level=1, at=slot)


@case(Amd)
def skipped_level_missing(m):
    slot = m.slot(m.start(), 0x80000000, 2)
    m.store(slot, m.to_table(1 << 40, 1))
    m.expect('error', 'table-missing', iova=0x80000000, level=2, at=slot)


@case(Amd)
def skipped_level_shared(m):
    """The table of level 0 that another entry leads to by all levels; no loop, though one of level 1 was there."""
    root = m.start()
    shared = m.slot(root, 0x40200000) & ~4095
    m.map(root, 0x40200000, BUFFER + 4 * PAGE)
    slot = m.slot(root, 0x80000000, 2)
    m.store(slot, m.to_table(shared, 1))
    m.expect('warning', 'table-shared', iova=0x80000000, level=2, at=slot)


@case(Amd)
def skipped_level_taken(m):
    """A table of level 1 that an entry takes for one of level 0."""
    root = m.start()
    slot = m.slot(root, 0x80000000, 2)
    m.store(slot, m.to_table(m.slot(root, 0x40000000, 1) & ~4095, 1))
    m.expect('error', 'bad-level', iova=0x80000000, level=2, at=slot)


@case(Memory)
def bad_root(m):
    at = m.device(DEVICE, m.start(), width=0)
    m.expect('error', 'bad-root', at=at, entry=False)


@case(Memory)
def bad_type(m):
    at = m.device(DEVICE, m.start(), kind=3)
    m.expect('error', 'bad-type', at=at)


@case(Memory)
def loop(m):
    root = m.start()
    slot = m.slot(root, 0x40200000, 1)
    m.store(slot, m.to_table(root, 1))
    m.expect('error', 'loop', iova=0x40200000, level=1, at=slot)


@case(Amd)
def run_differs(m):
    root = m.start()
    slot = m.slot(root, 0x200000)
    m.store(slot, m.leaf(BUFFER + 0x2000, 0, READ, 7))  # 8K
    m.store(slot + 8, m.leaf(BUFFER + 0x5000, 0, READ))
    m.expect('error', 'run-differs', iova=0x200000, level=0, at=slot)


@case(Riscv)
def run_differs_riscv(m):
    root = m.start()
    for i in range(16):
        m.map(root, 0x200000 + i * PAGE, BUFFER + 0x18000, bits=Riscv.READ_WRITE | 1 << 63)
    m.map(root, 0x205000, BUFFER + 0x28000, bits=Riscv.READ_WRITE | 1 << 63)
    m.expect('error', 'run-differs', iova=0x200000, level=0, at=m.slot(root, 0x200000), count=16)


@case(Arm)
def contiguous_partial(m):
    root = m.start()
    for i in range(15):
        m.map(root, 0x200000 + i * PAGE, BUFFER + 0x10000 + i * PAGE, bits=Arm.READ_WRITE | 1 << 52)
    m.expect('error', 'contiguous-partial', iova=0x200000, level=0, at=m.slot(root, 0x200000), count=15)


@case(Arm)
def contiguous_address(m):
    """All have the hint, and one leads elsewhere in the run's memory."""
    root = m.start()
    for i in range(16):
        m.map(root, 0x200000 + i * PAGE, BUFFER + 0x10000 + i * PAGE, bits=Arm.READ_WRITE | 1 << 52)
    m.map(root, 0x205000, BUFFER + 0x19000, bits=Arm.READ_WRITE | 1 << 52)
    m.expect('error', 'contiguous-partial', iova=0x200000, level=0, at=m.slot(root, 0x200000), count=16)


@case(Arm)
def contiguous(m):
    root = m.start()
    for i in range(16):
        m.map(root, 0x200000 + i * PAGE, BUFFER + 0x10000 + i * PAGE, bits=Arm.READ_WRITE | 1 << 52)


@case(Riscv)
def mark_clear(m):
    slot = m.map(m.start(), 0x105000, BUFFER + PAGE, bits=0x57)  # not dirty
    m.expect('warning', 'mark-clear', iova=0x105000, level=0, at=slot)


@case(Riscv)
def mark_clear_of_other(m):
    """The same tables, of two devices of which the unit sets accessed and dirty bits for the first (tc.SADE)."""
    root = m.start()
    slot = m.map(root, 0x105000, BUFFER + PAGE, bits=0x57)
    at = m.device(DEVICE, root)
    m.store(at, m.load(at) | 1 << 8)
    m.device(OTHER, root)
    m.expect('warning', 'mark-clear', OTHER, 0x105000, 0, slot)


@case(Arm)
def mark_clear_arm(m):
    slot = m.map(m.start(), 0x105000, BUFFER + PAGE, bits=Arm.READ_WRITE & ~(1 << 10))
    m.expect('warning', 'mark-clear', iova=0x105000, level=0, at=slot)


@case(Amd)
def dirty_not_writable(m):
    root = m.start()
    m.device(DEVICE, root, marks=3)
    slot = m.map(root, 0x105000, BUFFER + PAGE, bits=READ)
    m.store(slot, m.load(slot) | 1 << 6)
    m.expect('warning', 'dirty-not-writable', iova=0x105000, level=0, at=slot)


@case(Memory)
def dirty_means_nothing(m):
    """Without SSADE the bit is the software's."""
    m.map(m.start(), 0x105000, BUFFER + PAGE, bits=READ | 1 << 9)


@case(Scalable)
def dirty_not_writable_vtd(m):
    root = m.start()
    m.device(DEVICE, root, marks=1)
    slot = m.map(root, 0x105000, BUFFER + PAGE, bits=READ | 1 << 9)
    m.expect('warning', 'dirty-not-writable', iova=0x105000, level=0, at=slot)


# ---- tables --------------------------------------------------------------------------------------------------------

@case(Memory)
def table_missing(m):
    slot = m.slot(m.start(), 0x40200000, 1)
    m.store(slot, m.to_table(0x10000000, 1))
    m.expect('error', 'table-missing', iova=0x40200000, level=1, at=slot)


@case(Scalable)
def untranslated(m):
    m.device(DEVICE, m.start(), kind=3, first=0x7000000)
    m.expect('error', 'untranslated')


@case(Scalable)
def nested(m):
    """A guest's tables lie in its own memory, which it may write, and lead where it likes."""
    guest = 0x40000000
    m.device(DEVICE, m.start(), kind=3, first=guest)
    for level, index in enumerate((0, 0, 2)):
        m.store(BLOCK + level * PAGE + index * 8, guest + (level + 1) * PAGE | 7)
    m.store(BLOCK + 3 * PAGE + 16 * 8, guest + 16 * PAGE | 7)


@case(Memory)
def table_shared(m):
    """A table below two entries of the same tables."""
    root = m.start()
    m.store(m.slot(root, 0x300000, 1), m.load(m.slot(root, 0x100000, 1)))
    m.expect('warning', 'table-shared', iova=0x200000, level=1, at=m.slot(root, 0x200000, 1))


@case(Memory)
def table_shared_by_two(m):
    root, other = m.start(), m.table()
    m.device(OTHER, other, 2)
    m.store(m.slot(other, 0x100000, 2), m.load(m.slot(root, 0x100000, 2)))
    m.expect('warning', 'table-shared', OTHER, 0, 2, m.slot(other, 0x100000, 2))
    m.expect('warning', 'writable-by-two', OTHER, 0x100000, 0, m.slot(root, 0x100000))


@case(Amd)
def skipped_level_below_shared(m):
    """What lies below a table that is told to be shared is not told, neither where a level is skipped on the way."""
    root, low, other = m.table(), m.table(), m.table()
    m.device(DEVICE, root, mode=4)
    m.device(OTHER, other, 2, mode=4)
    m.store(m.slot(root, 0x40000000, 2), m.to_table(low, 1))
    m.store(low + 8, m.leaf(BUFFER + 4 * PAGE, 0, READ | WRITE))
    m.store(m.slot(other, 0, 3), m.load(m.slot(root, 0, 3)))
    m.expect('warning', 'table-shared', OTHER, 0, 3, m.slot(other, 0, 3))
    m.expect('warning', 'writable-by-two', OTHER, 0x40001000, 0, low + 8)


@case(Memory)
def doorbell_of_two(m):
    """What is no memory, as where devices ring for an interrupt, is nobody's own."""
    root, other = m.start(), m.table()
    m.device(OTHER, other, 2)
    for place, device in ((root, DEVICE), (other, OTHER)):
        slot = m.map(place, 0x105000, 0x10000000)
        m.expect('note', 'target-missing', device, 0x105000, 0, slot)


@case(Memory)
def entry_at_zero(m):
    """An entry's address may be 0."""
    m.store(0x1000, 1)
    m.store(0, 2 << 2 | 1)
    m.store(8, 1)
    m.expect('note', 'passes-through', 0, at=0, entry=False)


@case(Arm)
def memory_types_of_two(m):
    """The same tables with other memory types are another address space: their findings are told of both."""
    root = m.start()
    cd = m.device(OTHER, root)
    m.store(cd + 24, 0xff)
    slot = m.map(root, BUFFER + PAGE, BUFFER + PAGE)
    for device in (DEVICE, OTHER):
        m.expect('note', 'identity', device, BUFFER + PAGE, 0, slot)


@case(Amd)
def tables_of_two(m):
    """The same tables with other permissions are not shared by mistake, nor is memory."""
    root = m.start()
    m.device(OTHER, root)
    at = 0x1000 + OTHER * 32
    m.store(at, m.load(at) & ~(1 << 62))


@case(Memory)
def empty_table(m):
    root = m.start()
    m.slot(root, 0x80000000, 1)
    m.expect('note', 'empty-table', iova=0x80000000, level=2, at=m.slot(root, 0x80000000, 2))


# ---- domains -------------------------------------------------------------------------------------------------------

@case(Memory)
def domain_id_shared(m):
    m.start()
    at = m.device(OTHER, m.table(), 1)
    m.expect('error', 'domain-id-shared', OTHER, at=at, entry=False)


@case(Arm)
def domain_id_shared_arm(m):
    m.start()
    at = m.device(OTHER, m.table(), 1)
    m.expect('error', 'domain-id-shared', OTHER, at=at, entry=False)


@case(Memory)
def domain_id_shared_width(m):
    """The same tables, but of another number of levels."""
    root = m.table()
    m.device(DEVICE, root)
    at = m.device(OTHER, root, 1, width=2)
    m.expect('error', 'bad-level', OTHER, at=at, entry=False)
    m.expect('error', 'domain-id-shared', OTHER, at=at, entry=False)


@case(Memory)
def domain_id_passes(m):
    """The id of tables for a device that passes through."""
    m.start()
    at = m.device(OTHER, 0, 1, kind=2)
    m.expect('error', 'domain-id-shared', OTHER, at=at, entry=False)
    m.expect('note', 'passes-through', OTHER, at=at, entry=False)


@case(Memory)
def domain_id_differs(m):
    at = m.device(OTHER, m.start(), 2)
    m.expect('note', 'domain-id-differs', at=at, entry=False)


# ---- what is reached -----------------------------------------------------------------------------------------------

@case(Memory)
def writes_tables(m):
    root = m.start()
    slot = m.map(root, 0x105000, root)
    m.expect('error', 'writes-tables', iova=0x105000, level=0, at=slot)


@case(Memory)
def writes_tables_context(m):
    """What leads to tables, by another device, through a block."""
    m.start()
    root = m.table()
    m.device(OTHER, root, 2)
    slot = m.map(root, 0x40000000, 0, 1)
    m.expect('error', 'writes-tables', OTHER, 0x40001000, 1, slot)


@case(Scalable)
def writes_tables_directory(m):
    """What leads to a PASID table, two levels above the tables."""
    slot = m.map(m.start(), 0x105000, 0x4000 + DEVICE * PAGE)
    m.expect('error', 'writes-tables', iova=0x105000, level=0, at=slot)


@case(Memory)
def reads_tables(m):
    """Reading them is no matter."""
    root = m.start()
    m.map(root, 0x105000, root, bits=READ)


@case(Memory)
def writes_protected(m):
    root = m.start()
    m.options += ['--protect', hex(BLOCK + 0x5000) + '-' + hex(BLOCK + 0x5fff)]
    m.expect('error', 'writes-protected', iova=0x40005000, level=1, at=m.slot(root, 0x40000000, 1))


@case(Memory)
def writes_protected_passes(m):
    """Who passes through writes all of memory, and so what was asked for."""
    at = m.device(DEVICE, 0, kind=2)
    m.options += ['--protect', hex(BLOCK)]
    m.expect('note', 'passes-through', at=at, entry=False)
    m.expect('error', 'writes-protected', at=at, entry=False)


@case(Amd)
def reads_protected(m):
    """Not who may only read."""
    at = m.device(DEVICE, 0, mode=0)
    m.store(at, m.load(at) & ~(1 << 62))
    m.options += ['--protect', hex(BLOCK)]
    m.expect('note', 'passes-through', at=at, entry=False)


@case(Memory)
def writes_msi(m):
    slot = m.map(m.start(), 0x105000, 0xfee00000)
    m.expect('error', 'writes-msi', iova=0x105000, level=0, at=slot)
    m.expect('note', 'target-missing', iova=0x105000, level=0, at=slot)


@case(Arm)
def writes_msi_arm(m):
    slot = m.slot(m.start(), 0x100000)
    m.options += ['--msi', hex(BUFFER)]
    m.expect('warning', 'writes-msi', iova=0x100000, level=0, at=slot)


@case(Memory)
def writable_by_two(m):
    root, other = m.start(), m.table()
    m.device(OTHER, other, 2)
    m.map(root, 0x106000, BUFFER + 0x7000)
    slot = m.map(other, 0x105000, BUFFER + 0x7000)
    m.map(other, 0x109000, BUFFER + 0x8000)
    m.expect('warning', 'writable-by-two', OTHER, 0x105000, 0, slot)


@case(Scalable)
def writable_by_pasids(m):
    """PASIDs of one device may share memory."""
    root, other = m.start(), m.table()
    m.device(DEVICE, other, 2, pasid=5)
    m.map(other, 0x105000, BUFFER)


@case(Memory)
def msi_iova(m):
    slot = m.map(m.start(), 0xfee00000, BUFFER + PAGE)
    m.expect('warning', 'msi-iova', iova=0xfee00000, level=0, at=slot)


@case(Amd)
def ht_iova(m):
    root = m.table()
    m.device(DEVICE, root, mode=4)
    slot = m.map(root, 0xfd00000000, BUFFER)
    m.expect('warning', 'ht-iova', iova=0xfd00000000, level=0, at=slot)


@case(Scalable)
def msi_iova_pasid(m):
    """With a PASID it is an address like others."""
    root = m.table()
    m.device(DEVICE, root, pasid=5)
    m.map(root, 0xfee00000, BUFFER)


@case(Memory)
def passes_through(m):
    m.start()
    at = m.device(OTHER, 0, 2, kind=2)
    m.expect('note', 'passes-through', OTHER, at=at, entry=False)


@case(Memory)
def identity(m):
    slot = m.map(m.start(), BUFFER + PAGE, BUFFER + PAGE)
    m.expect('note', 'identity', iova=BUFFER + PAGE, level=0, at=slot)


@case(Memory)
def target_missing(m):
    slot = m.map(m.start(), 0x105000, 0x10000000)
    m.expect('note', 'target-missing', iova=0x105000, level=0, at=slot)


@case(Memory)
def could_be_larger(m):
    root = m.start()
    for i in range(514):
        m.map(root, 0x600000 + i * PAGE, 2 * MIB + i * PAGE)
    m.expect('note', 'could-be-larger', iova=0x600000, level=0, at=m.slot(root, 0x600000))


@case(Memory)
def neighbours(m):
    """As many leaves as it takes: too few for a block, or not in step with one."""
    root = m.start()
    for i in range(511):
        m.map(root, 0x600000 + i * PAGE, 2 * MIB + i * PAGE)
    for i in range(512):
        m.map(root, 0x800000 + i * PAGE, 5 * MIB + PAGE + i * PAGE)


@case(Memory)
def writes_kernel(m):
    """An ELF core whose note says that the kernel's code begins in the block."""
    root = m.start()
    m.options = m.where()
    stext = 0xffffffff81000000
    m.note = (f'OSRELEASE=6.12.0\nSYMBOL(init_uts_ns)={stext + 0x100000:x}\nSYMBOL(_stext)={stext:x}\n'
              f'NUMBER(phys_base)={BLOCK + MIB - 0x1000000}\nSYMBOL(mem_section)={stext + 0x200000:x}\n')
    m.expect('error', 'writes-kernel', iova=0x40100000, level=1, at=m.slot(root, 0x40000000, 1))


def elf(image, note):
    """An ELF core of memory from 0 on, with a note VMCOREINFO."""
    name, text = b'VMCOREINFO\0', note.encode()
    padded = [part + bytes(-len(part) % 4) for part in (name, text)]
    notes = struct.pack('<III', len(name), len(text), 0) + padded[0] + padded[1]
    head = struct.pack('<16sHHIQQQIHHHHHH', b'\177ELF\2\1\1', 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    at = 64 + 2 * 56
    start = (at + len(notes) + PAGE - 1) // PAGE * PAGE
    head += struct.pack('<IIQQQQQQ', 4, 0, at, 0, 0, len(notes), len(notes), 4)
    head += struct.pack('<IIQQQQQQ', 1, 7, start, 0xffff888000000000, 0, len(image), len(image), PAGE)
    return (head + notes).ljust(start, b'\0') + image


def main():
    if len(sys.argv) < 2:
        print('\n'.join(CASES))
        return
    memory, function = CASES[sys.argv[1]]
    built = memory()
    function(built)
    image = built.image()
    with open('image', 'wb') as file:
        file.write(elf(image, built.note) if hasattr(built, 'note') else image)
    with open('options', 'w', encoding='ascii') as file:
        file.write(''.join(f'{option}\n' for option in built.options))
    with open('expected', 'w', encoding='ascii') as file:
        file.write(''.join(f'{line}\n' for line in built.expected))


if __name__ == '__main__':
    main()
