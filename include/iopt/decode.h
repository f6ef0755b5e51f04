/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading an IOMMU's tables from memory that somebody else keeps: a crash dump, a virtual machine's
 * memory. Which devices there are, and what each can reach. Nothing of it needs the engine: an own
 * library, libiopt-decode, for debuggers, VMMs and tools.
 *
 * Memory may hold anything: nothing that is in it makes a function here read or write where it
 * should not, or run without an end. What is wrong is told, and reading goes on behind it.
 *
 * Intel VT-d, legacy and scalable mode, second and first stage; AMD, v1 and v2 tables; Arm SMMUv3,
 * stage 1 and 2, of VMSAv8-64; RISC-V, with process directories. Two stages are followed together.
 */
#ifndef IOPT_DECODE_H
#define IOPT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iopt/iopt.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/** enum iopt_decode_unit - whose tables */
enum iopt_decode_unit {
	IOPT_DECODE_VTD,    /* Intel VT-d */
	IOPT_DECODE_AMD,    /* AMD IOMMU */
	IOPT_DECODE_SMMUV3, /* Arm SMMUv3 */
	IOPT_DECODE_RISCV,  /* RISC-V IOMMU */
};

/**
 * struct iopt_decode_source - memory, and where a unit's tables begin in it
 * @read:  copy @bytes, 4096 at most and in one page of 4 KiB, from the physical address @pa; false
 *         if they are not there
 * @ctx:   for @read
 * @unit:  whose tables
 * @root:  VT-d: the register RTADDR, AMD: the device table base address register, SMMUv3:
 *         STRTAB_BASE, RISC-V: ddtp, all of it
 * @config: SMMUv3: STRTAB_BASE_CFG; RISC-V: capabilities; AMD: the control register, or 0
 * @tables_limit: tables that one call reads at most; 0: 16777216, 64 GiB of them. Of devices it
 *	    tells one for 64 tables, and 64 more; 512 pieces of a second stage count as a table
 */
struct iopt_decode_source {
	bool (*read)(void *ctx, uint64_t pa, void *to, size_t bytes);
	void *ctx;
	enum iopt_decode_unit unit;
	uint64_t root;
	uint64_t config;
	uint64_t tables_limit;
};

/** enum iopt_decode_path - what becomes of a device's requests */
enum iopt_decode_path {
	IOPT_DECODE_BLOCKED,	/* refused, but those with a PASID, which is told by itself */
	IOPT_DECODE_PASSES,	/* by physical addresses */
	IOPT_DECODE_TRANSLATED, /* by tables */
	IOPT_DECODE_NESTED,	/* by two stages of tables */
};

#define IOPT_DECODE_NO_PASID UINT32_MAX

/**
 * struct iopt_decode_device - a device, or one address space of it
 * @id:	      bus << 8 | device << 3 | function; SMMUv3: the stream's; RISC-V: the device's
 * @pasid:    of the address space; IOPT_DECODE_NO_PASID: of requests without one
 * @domain:   the domain id that caches are tagged with
 * @path:     what becomes of requests
 * @prot:     IOPT_READ, IOPT_WRITE: what the entry itself grants, tables or not
 * @format:   of the tables, a name as in iopt_config::format; NULL: there are none
 * @hw:	      where they begin
 * @entry_pa: address of the entry that says all this
 * @first_format: nested: of the first stage's tables, and all of the above is of the second stage;
 *	      otherwise NULL
 * @first_hw: where these begin, in addresses that the second stage translates
 * @first_domain: the id that caches are tagged with beside @domain; Intel, AMD: the same
 */
struct iopt_decode_device {
	uint32_t id;
	uint32_t pasid;
	uint32_t domain;
	enum iopt_decode_path path;
	uint8_t prot;
	const char *format;
	struct iopt_hw hw;
	uint64_t entry_pa;
	const char *first_format;
	struct iopt_hw first_hw;
	uint32_t first_domain;
};

/**
 * struct iopt_decode_leaf - what translates a piece of a device's addresses
 * @first:    first address that the device uses
 * @last:     last one
 * @pa:       physical address of @first
 * @prot:     IOPT_READ and so on: what all levels grant together. Where hardware sets no accessed
 *	      and dirty bits itself, it may fault for these nevertheless; hierarchical permissions
 *	      of Arm's count also where a context descriptor disables them (HAD)
 * @lg2:      log2 of the leaf's bytes. More than first..last where a run's entries differ: then
 *            each entry is a piece of its own
 * @level:    0: smallest leaves
 * @accessed: an entry says so
 * @dirty:    an entry says so
 * @entry_pa: address of the first entry
 * @entry:    its value
 */
struct iopt_decode_leaf {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint8_t prot;
	uint8_t lg2;
	uint8_t level;
	bool accessed;
	bool dirty;
	uint64_t entry_pa;
	uint64_t entry;
};

/**
 * struct iopt_decode_table - a table of entries on the way to a device's leaves
 * @pa:       its address
 * @bytes:    its size
 * @level:    0: of the smallest leaves
 * @first:    first address that the device uses which its entries translate
 * @used:     entries that are not zero
 * @entry_pa: address of the entry that leads here; 0: it is the root
 * @entry:    its value
 * @entry_level: level of the table that has this entry: @level + 1, more where AMD's skip levels
 */
struct iopt_decode_table {
	uint64_t pa;
	uint64_t bytes;
	unsigned level;
	uint64_t first;
	unsigned used;
	uint64_t entry_pa;
	uint64_t entry;
	unsigned entry_level;
};

/** enum iopt_decode_wrong - what can be wrong */
enum iopt_decode_wrong {
	IOPT_DECODE_MISSING,	   /* memory is not there */
	IOPT_DECODE_RESERVED,	   /* a reserved bit is set */
	IOPT_DECODE_MISALIGNED,	   /* a block whose address is no multiple of its size */
	IOPT_DECODE_BAD_SIZE,	   /* a run of a size that its level can't hold */
	IOPT_DECODE_BAD_LEVEL,	   /* a table that leads up or sideways */
	IOPT_DECODE_BAD_ROOT,	   /* hardware would not take this root */
	IOPT_DECODE_BAD_TYPE,	   /* a translation type that is reserved, or not known here */
	IOPT_DECODE_TABLE_TWICE,   /* a table that was read already, on this device's way */
	IOPT_DECODE_RUN_DIFFERS,   /* an entry of a run says other than its first one */
	IOPT_DECODE_UNTRANSLATED,  /* what a first stage needs, the second one does not lead to */
	IOPT_DECODE_LIMIT_REACHED, /* more tables than tables_limit: the rest was not read */
};

/**
 * struct iopt_decode_trouble - something is wrong
 * @what:     what
 * @iova:     where in the device's addresses, of an entry of a second stage in those before it; of
 *	      what leads to tables, 0
 * @level:    of the entry; IOPT_MAX_LEVELS: above all tables
 * @entry_pa: address of the entry; MISSING, UNTRANSLATED: of what is not there; TABLE_TWICE: of the
 *	      table; of a first stage over a second one as the guest knows it
 * @entry:    its value; MISSING: 0
 */
struct iopt_decode_trouble {
	enum iopt_decode_wrong what;
	uint64_t iova;
	unsigned level;
	uint64_t entry_pa;
	uint64_t entry;
};

/**
 * struct iopt_decode_visitor - who is told
 * @ctx:     for all of them
 * @device:  iopt_decode_devices() found one
 * @leaf:    iopt_decode_tables() found one, in ascending order of addresses
 * @table:   the same, a table before the leaves in it. May be NULL
 * @structure: iopt_decode_devices() has read so many bytes of what leads to tables, or to such, at
 *	      this physical address; not what a guest has written. May be NULL
 * @trouble: something is wrong, of a device or, with NULL, of what leads to devices. May be NULL
 *
 * Each but the last two returns 0 to go on, or what the function is to return.
 */
struct iopt_decode_visitor {
	void *ctx;
	int (*device)(void *ctx, const struct iopt_decode_device *device);
	int (*leaf)(void *ctx, const struct iopt_decode_leaf *leaf);
	int (*table)(void *ctx, const struct iopt_decode_table *table);
	void (*structure)(void *ctx, uint64_t pa, uint64_t bytes);
	void (*trouble)(void *ctx, const struct iopt_decode_device *device,
			const struct iopt_decode_trouble *trouble);
};

/**
 * iopt_decode_devices() - find all devices that a unit has an entry for
 * @source:  memory and registers
 * @visitor: who is told; @leaf and @table are not used
 *
 * In ascending order of ids, and of PASIDs. SMMUv3's address spaces of two halves come as two, the
 * lower one first. Not told: entries that are not present, of which hardware refuses requests, but
 * lets AMD's pass (V = 0); AMD's and SMMUv3's that block all.
 *
 * Return: 0, what the visitor returned, -EINVAL: no such unit, or -ENOMEM.
 * Context: any number at once.
 */
int iopt_decode_devices(const struct iopt_decode_source *source,
			const struct iopt_decode_visitor *visitor);

/**
 * iopt_decode_tables() - find all that a device can reach by its tables
 * @source:  memory
 * @device:  as the visitor was told, or made up: of @format, @hw and @prot alone
 * @first:   first address of the device's that is of interest
 * @last:    last one
 * @visitor: who is told; @device is not used
 *
 * Leaves that reach beyond first..last are told as a whole.
 *
 * Of two stages it is told what both together make of the device's addresses: a leaf of the first
 * stage in as many pieces as the second one has for it, of which iopt_decode_leaf::lg2 is the
 * smaller size and ::accessed and ::dirty are what either stage says; where the second one leads
 * nowhere, nothing. Tables and entries are the first stage's, at their physical addresses. The
 * second stage alone: by a copy of @device without @first_format.
 *
 * Return: 0, also where the device has no tables, what the visitor returned, -EINVAL: no such
 * format, or -ENOMEM.
 * Context: any number at once.
 */
int iopt_decode_tables(const struct iopt_decode_source *source,
		       const struct iopt_decode_device *device, uint64_t first, uint64_t last,
		       const struct iopt_decode_visitor *visitor);

/**
 * iopt_decode_wrong_text() - what is wrong, in some words
 * @what: what
 *
 * Return: static text.
 */
const char *iopt_decode_wrong_text(enum iopt_decode_wrong what);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
