/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt: an I/O page-table engine.
 *
 * This is the whole public interface of the engine: domains, map and unmap, look-up, walks, dirty
 * tracking and what is owed to the hardware afterwards. What the installed library's host offers on
 * top (threads, where table memory lies) is in <iopt/posix.h>. No hardware format shows here:
 * entries are built and read behind this interface, and only iopt_hw() speaks of registers.
 *
 * Words
 *   IOVA ranges are first..last, both inclusive, so that the last byte of 64 bits has a name.
 *   A size that is a power of two is carried as its exponent, *_lg2. Everything else is bytes.
 *   Errors are negative errno values; each function names those that it returns.
 *
 * Who may run at the same time
 *   The caller serialises operations that write the same IOVA range (iopt_map, iopt_map_sg,
 *   iopt_unmap, iopt_protect, iopt_split, iopt_merge). Every other pair may race on any number of
 *   threads: writers of disjoint ranges that share tables, iopt_translate, iopt_visit, iopt_sweep,
 *   iopt_trim, iopt_stats, and the hardware itself. iopt_split and iopt_merge write the whole of
 *   every leaf that they change, also where it reaches beyond their range.
 *   iopt_destroy comes after everything else has returned. A range may be mapped again only after
 *   the gather of its unmap was synced.
 */
#ifndef IOPT_IOPT_H
#define IOPT_IOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What these headers declare is all that the shared library shows. */
#pragma GCC visibility push(default)

#define IOPT_MAX_LEVELS 6u

struct iopt_domain;
struct iopt_table;

/* ---- formats ------------------------------------------------------------------------------- */

/* What a format can do, struct iopt_format_info::abilities. */
#define IOPT_CAN_TRACK_DIRTY	 0x0001u /* hardware sets a dirty bit in leaves */
#define IOPT_CAN_GROW		 0x0002u /* the number of levels grows while the domain is in use */
#define IOPT_CAN_RUNS		 0x0004u /* several entries may act as one leaf */
#define IOPT_CAN_ACCESSED_TABLES 0x0008u /* hardware sets an accessed bit in table entries */
#define IOPT_CAN_SIGN_EXTEND	 0x0010u /* IOVAs may be sign-extended (canonical) */
#define IOPT_CAN_WRITE_ONLY	 0x0020u /* IOPT_WRITE without IOPT_READ */
#define IOPT_CAN_EXEC		 0x0040u /* IOPT_EXEC */
#define IOPT_CAN_PRIV		 0x0080u /* IOPT_PRIV */
#define IOPT_CAN_SNOOP		 0x0100u /* IOPT_SNOOP */
#define IOPT_CAN_RESIZE		 0x0200u /* leaves may change their size while in use */
#define IOPT_CAN_MEMORY_TYPES	 0x0400u /* IOPT_UNCACHED and IOPT_DEVICE */
#define IOPT_CAN_UPPER		 0x0800u /* IOPT_UPPER */
#define IOPT_CAN_BBM		 0x1000u /* IOPT_CAN_RESIZE only as iopt_config::bbm allows */
#define IOPT_CAN_TRIM		 0x2000u /* iopt_trim(), IOPT_UNMAP_TRIM */
#define IOPT_CAN_UNCACHED	 0x4000u /* IOPT_UNCACHED; so has IOPT_CAN_MEMORY_TYPES */
#define IOPT_ALWAYS_RW		 0x8000u /* no permissions: IOPT_READ and IOPT_WRITE, both */

/**
 * struct iopt_format_info - what a page-table format is and can do
 * @name:           as iopt_config::format takes it, e.g. "vtd-ss"
 * @title:          for people, e.g. "Intel VT-d second stage"
 * @abilities:      IOPT_CAN_*
 * @page_sizes:     bit n: a leaf of 2^n bytes exists (with all levels)
 * @wide_sizes:     which of these exist only where physical addresses have all of @pa_lg2 bits
 * @min_levels:     fewest levels of a domain
 * @max_levels:     most
 * @default_levels: what iopt_config::levels == 0 gives
 * @granule_lg2:    the smallest leaf
 * @index_lg2:      IOVA bits that one level translates
 * @top_lg2:        IOVA bits that the top may translate beyond those: its table is as much larger
 * @iova_lg2:       IOVA bits at most, if that is less than what the levels translate; else 0
 * @entry_lg2:      bytes of an entry
 * @pa_lg2:         physical address bits that an entry holds
 * @stage:          of nested translation: 1 leads to IOVAs of a domain of stage 2, which leads to
 *                  memory; each may also stand alone. 0: hardware nests it in nothing
 * @walkers:        hardware, or others' models of it, that walked this format's tables in the
 *                  tests, by QEMU's names; NULL: none but the project's own
 */
struct iopt_format_info {
	const char *name;
	const char *title;
	const char *walkers;
	uint32_t abilities;
	uint64_t page_sizes;
	uint64_t wide_sizes;
	uint8_t min_levels;
	uint8_t max_levels;
	uint8_t default_levels;
	uint8_t granule_lg2;
	uint8_t index_lg2;
	uint8_t top_lg2;
	uint8_t iova_lg2;
	uint8_t entry_lg2;
	uint8_t pa_lg2;
	uint8_t stage;
};

/**
 * iopt_format_info() - describe the formats of this library, one a call
 * @index: 0 and up
 *
 * Return: the description, static; NULL beyond the last format.
 * Context: any.
 */
const struct iopt_format_info *iopt_format_info(size_t index);

/**
 * iopt_format_find() - find a format by its name
 * @name: e.g. "vtd-ss"
 *
 * Return: the description, static; NULL if there is none of that name.
 * Context: any.
 */
const struct iopt_format_info *iopt_format_find(const char *name);

/* ---- gather: what is owed ------------------------------------------------------------------ */

#define IOPT_GATHER_RANGES 8u

/* struct iopt_gather::owes */
#define IOPT_OWES_LEAVES     0x01u /* translations in the ranges */
#define IOPT_OWES_TABLES     0x02u /* paging-structure caches of them, too: no leaf-only hint */
#define IOPT_OWES_DIRTY	     0x04u /* dirty bits were cleared: no leaf-only hint */
#define IOPT_OWES_DEVICE_TLB 0x08u /* device TLBs (ATS), after the IOTLB */
#define IOPT_OWES_ALL	     0x10u /* the whole domain, whatever the ranges say */
#define IOPT_OWES_NOW	     0x20u /* asked for by an operation under way (iopt_callbacks) */

/** struct iopt_range - an IOVA range, both ends inclusive */
struct iopt_range {
	uint64_t first;
	uint64_t last;
};

/**
 * typedef iopt_record_fn - told of dirty pages
 * @ctx:   iopt_sink::ctx
 * @first: first IOVA that is dirty
 * @last:  last one
 *
 * Return: 0, or a negative errno value if this could not be recorded. A sweep then leaves these
 * pages dirty, stops and returns that value. After an unmap nothing can be kept: its sink must not
 * fail (the value is ignored).
 * Context: inside a read section of the engine: must not call back into the engine, wait for RCU or
 * sleep for long.
 */
typedef int (*iopt_record_fn)(void *ctx, uint64_t first, uint64_t last);

/**
 * struct iopt_sink - where dirty pages are reported: a bitmap or a function
 * @record:   function to call; NULL: use the bitmap
 * @ctx:      for @record
 * @words:    bitmap, bit n of word w is page 64 * w + n; bits are only ever set, by atomic OR, so
 *            that several operations and readers may share it
 * @first:    IOVA of the bitmap's bit 0, aligned to its page size
 * @pages:    number of bits
 * @page_lg2: IOVA bytes of a bit, lg2; need not be a leaf size
 */
struct iopt_sink {
	iopt_record_fn record;
	void *ctx;
	uint64_t *words;
	uint64_t first;
	uint64_t pages;
	uint8_t page_lg2;
};

/**
 * struct iopt_gather - what operations owe before memory may be reused
 * @domain:        the domain it belongs to
 * @owes:          IOPT_OWES_*; 0: nothing is owed
 * @nr_ranges:     entries of @ranges in use
 * @ranges:        IOVA ranges to invalidate, in no order; once all are in use the newest one grows
 *                 over what comes, so that a range may name much more than was unmapped but never
 *                 less. A driver invalidates the whole domain beyond a threshold of its own.
 * @leaf_lg2:      smallest leaf whose translation went, lg2 of bytes: a stride for range commands;
 *                 255 if no leaf went
 * @sink:          where dirty pages found by unmap go, or NULL
 * @tables:        unlinked tables, for the engine
 * @last_table:    the other end of that list
 * @nr_tables:     how many there are
 * @sweeps:        which sweeps' accessed bits it pays for, for the engine
 *
 * One per thread or call; not locked. An invalidate callback reads the fields up to @leaf_lg2.
 */
struct iopt_gather {
	struct iopt_domain *domain;
	uint32_t owes;
	uint32_t nr_ranges;
	struct iopt_range ranges[IOPT_GATHER_RANGES];
	uint8_t leaf_lg2;
	const struct iopt_sink *sink;
	struct iopt_table *tables;
	struct iopt_table *last_table;
	uint64_t nr_tables;
	uint32_t sweeps;
};

/**
 * iopt_gather_init() - make an empty gather
 * @gather: to fill in
 * @domain: whose operations it will hold
 * @sink:   where unmap reports dirty pages while tracking is on; NULL: nowhere. Must live until the
 *          gather is synced; a bitmap must cover every range that is unmapped with this gather.
 */
void iopt_gather_init(struct iopt_gather *gather, struct iopt_domain *domain,
		      const struct iopt_sink *sink);

/**
 * iopt_gather_merge() - move all that one gather owes into another
 * @into: takes the debt; same domain and same sink
 * @from: is empty afterwards
 *
 * Return: 0; -EINVAL if the domains or the sinks differ (nothing is moved).
 * Context: the caller owns both.
 */
int iopt_gather_merge(struct iopt_gather *into, struct iopt_gather *from);

/**
 * iopt_sync() - pay what a gather owes
 * @gather: is empty afterwards and may be used again
 *
 * Has the hardware invalidate (iopt_callbacks::invalidate, which returns when it is done), reports
 * to the gather's sink what hardware wrote meanwhile in tables that were unlinked whole, and hands
 * the unlinked tables to RCU, by one deferral. After it no device reaches what was unmapped, and
 * its dirty pages are final. Does nothing if nothing is owed.
 *
 * Context: may run beside everything; calls back the embedder; does not wait for RCU.
 */
void iopt_sync(struct iopt_gather *gather);

/* ---- domains ------------------------------------------------------------------------------- */

/**
 * struct iopt_callbacks - what the embedder does for a domain
 * @invalidate:  drop from IOTLB and paging-structure caches what @gather names, then, if it says
 *               so, from device TLBs; return when the hardware has done it and walks that were
 *               under way have ended. May run on any thread that calls the engine, several at once.
 *               With IOPT_OWES_NOW an operation waits for it inside a read section: then it must
 *               neither sleep nor wait for RCU.
 * @top_changed: the root or the number of levels changed: read them by iopt_hw() under a lock of
 *               the embedder's own, tell the device, return when it uses them. Several threads may
 *               call at once; the lock makes the last one write the newest. Only for formats that
 *               grow; NULL elsewhere. Paging-structure caches stay right (the old top is the new
 *               one's first child).
 * @try_claim:   for background work (IOPT_CLAIM): whether first..last is the caller's from now on,
 *               so that nobody else writes it (maps, unmaps, protects, splits or merges) until it
 *               is released. Must not wait for whoever has it; several claims, of ranges that do
 *               not overlap, may be held at once. May be called inside a read section: must not
 *               sleep. NULL: IOPT_CLAIM is refused
 * @release:     gives a claimed range back; the same range as in the claim
 */
struct iopt_callbacks {
	void (*invalidate)(void *ctx, const struct iopt_gather *gather);
	void (*top_changed)(void *ctx, struct iopt_domain *domain);
	bool (*try_claim)(void *ctx, uint64_t first, uint64_t last);
	void (*release)(void *ctx, uint64_t first, uint64_t last);
};

/* struct iopt_config::flags */
#define IOPT_TRACKABLE	 0x1u /* dirty tracking may be switched on (iopt_track) */
#define IOPT_NONCOHERENT 0x2u /* the walker does not snoop: entries are written back to memory */
#define IOPT_CACHES_EMPTY \
	0x4u /* the hardware caches not-present entries: map owes an invalidation */
#define IOPT_SIGN_EXTEND 0x8u  /* IOVAs are sign-extended from bit iova_lg2 - 1 */
#define IOPT_TRACK	 0x10u /* tracking is on from the start (implies IOPT_TRACKABLE) */
#define IOPT_SPLIT \
	0x20u /* iopt_unmap and iopt_protect split a leaf that an end of their range cuts */
/*
 * The hardware sets the accessed bit of every table entry on the way of a walk, so that a sweep may
 * skip tables that no device touched. For formats with IOPT_CAN_ACCESSED_TABLES, in domains that
 * are trackable: VT-d first stage, and second stage in scalable mode with SSADE set in the
 * PASID-table entry. Not for AMD v2 tables: of what AMD units set in table entries no specification
 * was at hand.
 */
#define IOPT_ACCESSED_TABLES 0x40u
/*
 * The IOVAs are the upper ones: sign-extended from a bit above the iova_lg2 bits that the tables
 * translate, which is set. What Arm's TTBR1 translates.
 */
#define IOPT_UPPER	     0x80u

/**
 * struct iopt_config - how a domain is to be
 * @format:     name, see iopt_format_info
 * @levels:     table levels; for a format that grows, the number to start with; 0: the default
 * @max_levels: for a format that grows, how far; 0: as far as @iova_lg2 needs
 * @iova_lg2:   input address bits; 0: all that the (maximum of) levels translate and the format has
 * @pa_lg2:     output address bits; 0: all that the format holds
 * @page_sizes: bit n: leaves of 2^n bytes may be used; 0: every size that the levels allow (but see
 *              @bbm). The format's granule must be among them. A leaf is never as large as all that
 *              the top or either address width can name.
 * @flags:      IOPT_TRACKABLE and so on
 * @bbm:        for formats with IOPT_CAN_BBM: the hardware's break-before-make level, 0 to 2 (Arm,
 *              FEAT_BBM; SMMU_IDR3.BBML). Only at 2 leaves may change their size while in use;
 *              below it runs are not used unless @page_sizes names them, since no part of one can
 *              be changed. 0 for other formats
 * @callbacks:  the embedder's; copied
 * @ctx:        first argument of the callbacks
 * @memory:     where the host is to take the domain's tables from; 0: wherever it likes. What else
 *              there is each host says for itself (Linux: a node, hosts/linux/linux.h); a host that
 *              has no choice, as the library's, does not look at it
 */
struct iopt_config {
	const char *format;
	uint8_t levels;
	uint8_t max_levels;
	uint8_t iova_lg2;
	uint8_t pa_lg2;
	uint64_t page_sizes;
	uint32_t flags;
	uint8_t bbm;
	struct iopt_callbacks callbacks;
	void *ctx;
	uintptr_t memory;
};

/**
 * iopt_create() - make a domain with an empty root table
 * @config: how it is to be; read only during the call
 * @domain: set to the domain on success
 *
 * Return: 0; -ENOENT: no format of that name; -EINVAL: levels, address widths, sizes, flags or
 * callbacks that do not fit the format or each other; -EOPNOTSUPP: a flag that the format can't do;
 * -ENOMEM.
 * Context: may sleep.
 */
int iopt_create(const struct iopt_config *config, struct iopt_domain **domain);

/**
 * iopt_destroy() - free a domain and all its tables
 * @domain: NULL is allowed
 *
 * Context: no other call on this domain is running or comes later; all gathers are synced; no
 * hardware walks its tables any more. May sleep.
 */
void iopt_destroy(struct iopt_domain *domain);

/* Table base registers that a stream of a DART has at most. */
#define IOPT_DART_TTBRS 4u

/**
 * struct iopt_hw_arm - what an Arm SMMU, or a processor's stage 2, must be told
 * @ttb:  TTB0 or S2TTB, address
 * @mair: stage 1: MAIR. Attribute 0 is normal non-cacheable, 1 write-back, 2 Device-nGnRE, 3 inner
 *        non-cacheable and outer write-back
 * @upper: stage 1: all of this is of TTB1 (T1SZ, TG1 and so on), not of TTB0
 * @tsz:  T0SZ or S2T0SZ. LPAE: low three bits TTBCR.T0SZ, low five VTCR.S and VTCR.T0SZ
 * @tg:   TG0 or S2TG
 * @ps:   IPS or S2PS
 * @sl0:  stage 2: S2SL0
 * @sl2:  stage 2: S2SL2
 * @sh:   SH0 or S2SH0: shareability of walks
 * @irgn: IR0 or S2IR0
 * @orgn: OR0 or S2OR0
 * @ds:   DS or S2DS: 52-bit addresses with small granules (LPA2)
 * @ha:   HA or S2HA: hardware sets the access flag
 * @hd:   HD or S2HD: hardware marks what is written through
 */
struct iopt_hw_arm {
	uint64_t ttb;
	uint64_t mair;
	bool upper;
	uint8_t tsz;
	uint8_t tg;
	uint8_t ps;
	uint8_t sl0;
	bool sl2;
	uint8_t sh;
	uint8_t irgn;
	uint8_t orgn;
	bool ds;
	bool ha;
	bool hd;
};

/**
 * struct iopt_hw - what the hardware must be told of a domain
 * @root:   physical address of the top table
 * @levels: levels of tables, top included
 * @vtd_ss: scalable-mode PASID-table entry and legacy context entry
 * @x86_64: VT-d first stage (PASID-table entry) and AMD v2 (guest CR3)
 * @amd_v1: device-table entry
 * @riscv_s1: device or process context
 * @riscv_g: device context
 * @arm:    context descriptor (stage 1) or stream table entry (stage 2) of an SMMUv3; of the LPAE
 *          formats a context bank's TTBR0, TTBCR and MAIR, or VTTBR and VTCR
 * @arm_v7s: registers of a context bank that takes short descriptors; of a MediaTek M4U only @ttbr
 * @arm_mali: registers of an address space of a Mali GPU
 * @apple_dart: registers of a DART
 *
 * Field names are the specifications'; values are the fields' own, not shifted into place unless
 * the comment says so.
 */
struct iopt_hw {
	uint64_t root;
	uint8_t levels;
	union {
		struct {
			uint64_t ssptptr; /* second-stage page-table pointer, address */
			uint8_t aw;	  /* address width: 1, 2, 3 for 3, 4, 5 levels */
			bool ssade;	  /* accessed/dirty enable */
			bool pwsnp;	  /* page-walk snoop */
		} vtd_ss;
		struct {
			uint64_t fsptptr; /* first-stage page-table pointer, address */
			uint8_t fspm;	  /* VT-d first-stage paging mode: 0 is 4, 1 is 5 levels */
			uint8_t guest_paging_mode; /* AMD: 0 is 4, 1 is 5 levels */
			bool pwsnp;
		} x86_64;
		struct {
			uint64_t root_ptr; /* host page-table root pointer, address */
			uint8_t mode;	   /* paging mode: levels, 1 to 6 */
			uint8_t had; /* host access/dirty: 3 with dirty tracking allowed, else 0 */
			bool sd;     /* snoop disable: walks need not snoop */
		} amd_v1;
		struct {
			uint64_t ppn; /* iosatp.PPN: page number of the root */
			uint8_t mode; /* iosatp.MODE: 8, 9, 10 for Sv39, Sv48, Sv57 */
			bool sade;    /* tc.SADE: hardware sets accessed and dirty bits */
		} riscv_s1;
		struct {
			uint64_t ppn; /* iohgatp.PPN: page number of the root */
			uint8_t mode; /* iohgatp.MODE: 8, 9, 10 for Sv39x4, Sv48x4, Sv57x4 */
			bool gade;    /* tc.GADE: hardware sets accessed and dirty bits */
		} riscv_g;
		struct iopt_hw_arm arm;
		struct {
			uint32_t ttbr; /* TTBR0, all of it */
			uint32_t tcr;  /* TTBCR */
			uint32_t prrr; /* PRRR, with TEX remap in use */
			uint32_t nmrr; /* NMRR */
		} arm_v7s;
		struct {
			uint64_t transtab; /* AS_TRANSTAB, all of it */
			uint64_t memattr;  /* AS_MEMATTR */
		} arm_mali;
		struct {
			uint64_t ttbr[IOPT_DART_TTBRS]; /* table addresses; 0 where not in use */
			uint8_t nr_ttbrs;		/* how many are */
			bool four_levels; /* T8110: TCR.FOUR_LEVELS, TTBRs are one of these */
		} apple_dart;
	};
};

/**
 * iopt_hw() - read what the hardware must be told now
 * @domain: the domain
 * @hw:     filled in
 *
 * Root and levels belong together even while another thread makes the top grow.
 * Context: any, also from a callback.
 */
void iopt_hw(const struct iopt_domain *domain, struct iopt_hw *hw);

/* ---- map and unmap ------------------------------------------------------------------------- */

/* Attributes of a mapping. */
#define IOPT_READ     0x01u
#define IOPT_WRITE    0x02u
#define IOPT_EXEC     0x04u /* instruction fetches; where a format has them, off unless asked for */
#define IOPT_PRIV     0x08u /* supervisor requests only */
#define IOPT_SNOOP    0x10u /* DMA through this mapping snoops whatever the request says */
/*
 * The memory type, where a format has it in its leaves: cacheable and coherent without either of
 * these; not both. UNCACHED is normal memory whose accesses are not coherent with processors'
 * caches; DEVICE is what must neither be gathered nor reordered, as for registers.
 */
#define IOPT_UNCACHED 0x20u
#define IOPT_DEVICE   0x40u

/**
 * struct iopt_reserve - tables set aside, so that a map neither sleeps nor fails for memory
 * @tables:    for the engine
 * @nr_tables: how many there are
 * @how:       how the host is to allocate for it, as each host says for itself (Linux: allocation
 *             flags, hosts/linux/linux.h): iopt_reserve(), and a map that finds nothing left in it.
 *             0: iopt_reserve() may sleep, and a map takes no more than was set aside
 *
 * Starts zeroed, but for @how. One user at a time.
 */
struct iopt_reserve {
	struct iopt_table *tables;
	uint64_t nr_tables;
	uintptr_t how;
};

/**
 * iopt_reserve() - set aside the tables that mapping a range may need
 * @domain:  the domain
 * @first:   first IOVA
 * @last:    last IOVA
 * @reserve: gets the worst case: a table for each place of each level that the range touches, and
 *           growth of the top; existing tables are not counted on, since they may be given back
 *
 * Return: 0; -EINVAL, -ERANGE as iopt_map(); -ENOMEM: @reserve is as before.
 * Context: may sleep, unless iopt_reserve::how tells the host that it may not; the caller owns
 * @reserve.
 */
int iopt_reserve(struct iopt_domain *domain, uint64_t first, uint64_t last,
		 struct iopt_reserve *reserve);

/**
 * iopt_reserve_release() - give back what a reserve still holds
 * @reserve: empty afterwards
 */
void iopt_reserve_release(struct iopt_reserve *reserve);

/**
 * iopt_map() - map an IOVA range to physically contiguous memory
 * @domain:  the domain
 * @first:   first IOVA, aligned to the granule
 * @last:    last IOVA, one less than a multiple of the granule
 * @pa:      physical address of @first, aligned to the granule
 * @prot:    IOPT_READ and/or IOPT_WRITE, with attributes
 * @reserve: where tables are taken from, and the call then never sleeps itself; once it is empty
 *           the host is asked if it says how. NULL: from the host, which may sleep. Tables that
 *           were asked for and not used are in it afterwards
 *
 * Uses for every piece the largest leaf that alignment, length and the domain's sizes allow. All or
 * nothing: on an error the range translates as before (tables that became empty may stay).
 * On return the hardware sees the mapping. Syncs (calls back) by itself where it must: after a
 * failure that had exposed leaves (what a device wrote through these is reported by nobody), after
 * a block replaced an empty table, and where the hardware caches not-present entries.
 *
 * Return: 0; -EINVAL: misaligned, empty or backward range, or attributes that the format can't
 * express; -ERANGE: IOVA or physical address beyond the domain's width; -EEXIST: something is
 * mapped in the range; -ENOMEM: no table to be had.
 * Context: see the head of this file. May sleep if @reserve is NULL, or as iopt_reserve::how tells
 * the host.
 */
int iopt_map(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa, unsigned prot,
	     struct iopt_reserve *reserve);

/** struct iopt_segment - a physically contiguous piece of a scatter list, in bytes */
struct iopt_segment {
	uint64_t pa;
	uint64_t bytes;
};

/**
 * iopt_map_sg() - map a list of physical segments, one behind the other
 * @domain:   the domain
 * @first:    IOVA of the first segment's first byte
 * @segments: array of @nr; each address and size a multiple of the granule, no size zero.
 *            Neighbours that continue each other become one.
 * @nr:       at least 1
 * @prot:     as iopt_map()
 * @reserve:  as iopt_map()
 * @last:     set to the last IOVA mapped, on success; NULL: not wanted
 *
 * Return and context: as iopt_map(), all or nothing for the whole list.
 */
int iopt_map_sg(struct iopt_domain *domain, uint64_t first, const struct iopt_segment *segments,
		size_t nr, unsigned prot, struct iopt_reserve *reserve, uint64_t *last);

/* Flags of iopt_unmap(): each costs a scan of what goes. */
#define IOPT_UNMAP_COUNT 0x1u /* count the bytes that were mapped */
#define IOPT_UNMAP_FULL	 0x2u /* refuse a range with holes: -ENOENT, nothing changes */
#define IOPT_UNMAP_TRIM	 0x4u /* give back the tables that this empties, as iopt_trim() does */

/**
 * struct iopt_released - what an unmap took out
 * @first: first IOVA of the range that holds all of it, inside of the one asked for
 * @last:  last one; less than @first if nothing was there. A table that goes as a whole is not
 *         looked into, so that it counts as mapped even if it was empty.
 * @bytes: bytes that were mapped, with IOPT_UNMAP_COUNT; else 0
 */
struct iopt_released {
	uint64_t first;
	uint64_t last;
	uint64_t bytes;
};

/**
 * iopt_unmap() - take everything out of a range
 * @domain:   the domain
 * @first:    first IOVA; both ends lie on leaf boundaries, or the domain has IOPT_SPLIT: then a
 *            leaf that an end cuts is split first, into the largest leaves that fit beside it
 * @last:     last IOVA
 * @flags:    IOPT_UNMAP_*
 * @gather:   gets what is owed; the device may reach the memory until it is synced
 * @released: what went; NULL: not wanted
 *
 * Crosses any number of leaves, levels and holes; takes whole tables at once where the range covers
 * them. While tracking is on, pages that are dirty are reported to the gather's sink: those of
 * single leaves at once, those of whole tables when it is synced, each page once. Never allocates,
 * unless it has to split.
 *
 * Return: 0, also if nothing was mapped; -EINVAL: misaligned, empty or backward range, a gather of
 * another domain, unknown flags; -ERANGE: beyond the domain's width, or beyond the sink's bitmap
 * while tracking; -ENOENT: a hole, with IOPT_UNMAP_FULL; -EOPNOTSUPP: an end of the range lies in
 * the middle of a larger leaf, and the domain has no IOPT_SPLIT, or iopt_split() can't do it, or
 * IOPT_UNMAP_TRIM and a format without IOPT_CAN_TRIM;
 * -ENOMEM: no table for a split. On an error nothing changed, but that leaves may have been split.
 * Context: see the head of this file. Sleeps only to split.
 */
int iopt_unmap(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
	       struct iopt_gather *gather, struct iopt_released *released);

/**
 * iopt_protect() - give a live range other permissions
 * @domain: the domain
 * @first:  first IOVA; ends as for iopt_unmap()
 * @last:   last IOVA
 * @prot:   the new IOPT_READ and/or IOPT_WRITE, with attributes
 * @gather: gets what is owed; the device may use the old permissions until it is synced
 *
 * Changes each leaf of the range where it stands; addresses, sizes, accessed and dirty bits stay,
 * so that no access faults that both the old and the new permissions allow. Holes stay holes. A
 * page that was written before the sync is still reported, by a sweep or by unmap.
 *
 * Return: 0, also if nothing is mapped; -EINVAL: as iopt_unmap(), or attributes that the format
 * can't express; -ERANGE, -ENOMEM: as iopt_unmap(); -EOPNOTSUPP: likewise, or a leaf has another
 * memory type, and hardware wants it unmapped and synced before it gets this one (formats without
 * IOPT_CAN_RESIZE, or with IOPT_CAN_BBM). On an error no permission changed.
 * Context: see the head of this file. Sleeps only to split.
 */
int iopt_protect(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned prot,
		 struct iopt_gather *gather);

/* ---- splitting, merging, giving tables back ------------------------------------------------ */

/* Flag of iopt_split() and iopt_merge(): claim each leaf's range first (iopt_callbacks::try_claim),
 * and leave alone what somebody else has. Without it the caller owns the range. */
#define IOPT_CLAIM     0x1u
/* Flag of iopt_merge(): the whole range is to become one leaf, or the call says why not. */
#define IOPT_MERGE_ONE 0x2u

/**
 * iopt_split() - make the leaves of a range smaller while devices use them
 * @domain:   the domain
 * @first:    first IOVA, a multiple of the granule
 * @last:     last IOVA, one less than a multiple of the granule
 * @leaf_lg2: the largest leaf that is to be left in the range, bytes, lg2; one of the domain's
 *            sizes. ~0u: any, just no leaf is to cross an end of the range
 * @flags:    IOPT_CLAIM or 0
 * @gather:   gets what is owed: stale translations of the larger leaves
 * @budget:   tables to look into or to fill before stopping early, 0: no limit. A leaf that needs
 *            more than is left is split by one level at a time.
 * @next:     set to where to go on, also after an error; may be NULL if @budget is 0
 *
 * A leaf that lies partly in the range is split outside of it into the largest leaves that fit. All
 * tables below a leaf are filled in private and become visible by one exchange; no access faults
 * meanwhile. Each piece is dirty if the leaf was. Runs are taken apart where they stand. Sync the
 * gather before a part is unmapped or protected with another one: hardware may have the larger leaf
 * cached.
 *
 * Return: 0: done; 1: the budget was spent, go on at @next; -EINVAL: misaligned, empty or backward
 * range, a size that the domain hasn't (below the smallest leaf, for one), unknown flags,
 * IOPT_CLAIM without the callbacks, a gather of another domain; -ERANGE: beyond the domain's width;
 * -EOPNOTSUPP: the hardware forbids a live change of sizes (IOPT_CAN_RESIZE, IOPT_CAN_BBM), or a
 * run would first have to become leaves of its entries' size, which the domain hasn't; -ENOMEM: no
 * table: what lies before @next is split, and the rest translates as before.
 * Context: see the head of this file. May sleep, calls back.
 */
int iopt_split(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
	       unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next);

/**
 * iopt_merge() - make leaves that continue each other one larger leaf while devices use them
 * @domain:   the domain
 * @first:    first IOVA
 * @last:     last IOVA
 * @leaf_lg2: the largest leaf that is to be made, bytes, lg2; one of the domain's sizes. ~0u: the
 *            largest that the domain has
 * @flags:    IOPT_CLAIM, IOPT_MERGE_ONE
 * @gather:   gets the tables that are not needed any more
 * @budget:   tables to look into before stopping early, 0: no limit; not with IOPT_MERGE_ONE
 * @next:     set to where to go on; may be NULL if @budget is 0
 *
 * Where leaves in the range have the same attributes, physical addresses that continue each other,
 * and together the alignment of a larger one, they become that leaf or run, the largest that fits
 * into the range. No access faults meanwhile. The larger leaf is dirty if one of its pieces was, or
 * if hardware wrote through a stale cached walk until the call's own invalidation. What does not
 * fit together stays as it is. Leaves grow level by level: a size for which the domain hasn't those
 * of the levels in between is not made. With a budget, what lies in two steps is found by a later
 * round from the start.
 *
 * Return: 0: done; 1: the budget was spent, go on at @next; -EINVAL: misaligned, empty or backward
 * range, a size that the domain hasn't, unknown flags, IOPT_CLAIM without the callbacks, a gather
 * of another domain; -ERANGE: beyond the domain's width; -EOPNOTSUPP: the hardware forbids a live
 * change of sizes. With IOPT_MERGE_ONE, having changed nothing: -EINVAL: the range is not a leaf of
 * one of the domain's sizes; -ENOENT: it has a hole; -EXDEV: attributes differ, or addresses do not
 * continue each other; -EOPNOTSUPP: a size in between is missing; -EBUSY: somebody else has claimed
 * it.
 * Context: see the head of this file. Calls back, never sleeps itself, never allocates.
 */
int iopt_merge(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
	       unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next);

/**
 * iopt_trim() - give back tables that hold nothing
 * @domain: the domain
 * @first:  first IOVA
 * @last:   last IOVA
 * @gather: gets the tables; their range is invalidated by the call itself
 * @budget: tables to look into before stopping early, 0: no limit
 * @next:   set to where to go on if the call stopped early; may be NULL if @budget is 0
 *
 * Takes every table that is empty and translates some of the range, but the top. Mappers never wait
 * for it: one that meets a table being taken keeps it, one that meets a table that is taken puts
 * another one there.
 *
 * Return: 0: done; 1: the budget was spent, go on at @next; -EINVAL: backward range, a gather of
 * another domain; -ERANGE: beyond the domain's width; -EOPNOTSUPP: a format without IOPT_CAN_TRIM:
 * what its hardware ignores in entries is not known, so that nothing may be left there meanwhile.
 * Context: may race with everything. Calls back, never sleeps itself, never allocates.
 */
int iopt_trim(struct iopt_domain *domain, uint64_t first, uint64_t last, struct iopt_gather *gather,
	      uint64_t budget, uint64_t *next);

/* ---- look-up and walks --------------------------------------------------------------------- */

/**
 * struct iopt_translation - what an IOVA translates to
 * @pa:       physical address of that very byte
 * @leaf_lg2: size of the leaf (of the whole run)
 * @prot:     IOPT_READ and so on
 */
struct iopt_translation {
	uint64_t pa;
	uint8_t leaf_lg2;
	uint8_t prot;
};

/**
 * iopt_translate() - look up one IOVA
 * @domain: the domain
 * @iova:   any byte
 * @result: filled in on success
 *
 * Return: 0; -ENOENT: nothing is mapped there; -ERANGE: beyond the domain's width.
 * Context: any; wait-free.
 */
int iopt_translate(struct iopt_domain *domain, uint64_t iova, struct iopt_translation *result);

/* struct iopt_item::flags */
#define IOPT_ITEM_TABLE 0x1u /* a table; else a leaf */
#define IOPT_ITEM_ACCESSED \
	0x2u		     /* its accessed bit is set (table items: where the format has one) */
#define IOPT_ITEM_DIRTY 0x4u /* leaf: a dirty bit is set */

/**
 * struct iopt_item - a leaf or a table, as a visit found it
 * @first:    first IOVA that it translates
 * @last:     last one
 * @pa:       leaf: physical address of @first; table: of the table
 * @entry:    the hardware entry as read, to be printed (the lowest one of a run)
 * @entry_pa: physical address of that entry; for the top table 0, and @entry is 0
 * @level:    leaf: of the entry; table: of the table itself (0: it holds the smallest leaves)
 * @leaf_lg2: leaf: its size
 * @prot:     leaf: IOPT_READ and so on
 * @flags:    IOPT_ITEM_*
 */
struct iopt_item {
	uint64_t first;
	uint64_t last;
	uint64_t pa;
	uint64_t entry;
	uint64_t entry_pa;
	uint8_t level;
	uint8_t leaf_lg2;
	uint8_t prot;
	uint8_t flags;
};

/* struct iopt_visit::flags */
#define IOPT_VISIT_LEAVES 0x1u
#define IOPT_VISIT_TABLES 0x2u

/**
 * struct iopt_visit - where a visit stands
 * @first: from here on: where the next call goes on
 * @last:  to here
 * @flags: what is wanted, IOPT_VISIT_*
 * @below: tables at @first were reported down to this level already; start with IOPT_MAX_LEVELS
 * @done:  nothing is left; start with false
 */
struct iopt_visit {
	uint64_t first;
	uint64_t last;
	unsigned flags;
	uint8_t below;
	bool done;
};

/**
 * iopt_visit_init() - start a visit
 * @visit: to fill in
 * @first: first IOVA
 * @last:  last IOVA
 * @flags: IOPT_VISIT_LEAVES and/or IOPT_VISIT_TABLES
 */
void iopt_visit_init(struct iopt_visit *visit, uint64_t first, uint64_t last, unsigned flags);

/**
 * iopt_visit() - read live leaves and tables, some at a time
 * @domain: the domain
 * @visit:  where to go on; moved behind what was found
 * @items:  array of @nr, filled in ascending IOVA, a table before what is in it
 * @nr:     at least 1
 *
 * Safe against everything that may run, and the basis of every dump: no pointer into the tables
 * survives the call, so that the caller may print, sleep or take as long as it likes between two
 * calls. Each item was there at one moment during its call; a leaf that lies partly in the range is
 * reported whole. The range is cut to what the domain can translate.
 *
 * Return: how many items were filled in; less than @nr only when @visit->done.
 * Context: any; leaves its read section after a bounded number of tables and comes back by address.
 */
size_t iopt_visit(struct iopt_domain *domain, struct iopt_visit *visit, struct iopt_item *items,
		  size_t nr);

/* ---- dirty tracking ------------------------------------------------------------------------ */

/**
 * iopt_track() - switch dirty tracking on or off, mapped or not
 * @domain: created with IOPT_TRACKABLE
 * @on:     the new state
 *
 * On: dirty bits from before are cleared unreported and the whole domain is invalidated, so that
 * what a device writes after the call is reported, by a sweep or by unmap, and nothing older.
 * Off: hardware may go on setting dirty bits; unmap no longer reports them, and iopt_map() uses all
 * of the domain's leaf sizes again.
 * The embedder switches the hardware's own enable (see iopt_hw) on before and off after.
 *
 * Return: 0; -EOPNOTSUPP: the domain was not created for it.
 * Context: not beside another iopt_track() or a clearing sweep's owner that expects its bits; may
 * race with everything else. May sleep, calls back.
 */
int iopt_track(struct iopt_domain *domain, bool on);

/**
 * iopt_track_split() - switch dirty tracking on at a granularity, in steps
 * @domain:   created with IOPT_TRACKABLE
 * @leaf_lg2: the largest leaf that is to be tracked, bytes, lg2; one of the domain's sizes
 * @flags:    IOPT_CLAIM or 0
 * @budget:   as for iopt_split(), of this step; 0: no limit
 * @next:     where to go on: starts 0, moved by each step
 *
 * Each call splits some of the domain's leaves (eagerly, so that no write waits for it later). From
 * the first call on, leaves that are mapped are no larger either. The call that finds nothing left
 * switches tracking on as iopt_track() does; a leaf that could not be claimed stays large, and is
 * tracked as it is. iopt_track() off lifts the limit on new leaves again, also in the middle.
 *
 * Return: 0: tracking is on; 1: call again; -EINVAL: a size that the domain hasn't, unknown flags,
 * IOPT_CLAIM without the callbacks; -EOPNOTSUPP: the domain was not created for it, or the hardware
 * forbids a live change of sizes; -ENOMEM: no table, may be called again.
 * Context: as iopt_track() and iopt_split() of the whole domain; one thread at a time.
 */
int iopt_track_split(struct iopt_domain *domain, unsigned leaf_lg2, unsigned flags, uint64_t budget,
		     uint64_t *next);

#define IOPT_SWEEP_CLEAR 0x1u /* clear what was reported; else only read */

/**
 * iopt_sweep() - report dirty pages of a range
 * @domain: the domain
 * @first:  first IOVA, any byte
 * @last:   last IOVA
 * @flags:  IOPT_SWEEP_CLEAR or 0
 * @sink:   where to; a bitmap must cover the range
 * @gather: gets what clearing owes; the pages may be copied only after it is synced. May be NULL if
 *          nothing is cleared.
 * @budget: tables to look into before stopping early, 0: no limit
 * @next:   set to where to go on if the call stopped early; may be NULL if @budget is 0
 *
 * A leaf that lies partly in the range is reported as far as it lies inside and not cleared. A page
 * is recorded before its bit is cleared: one that the sink refuses stays dirty. A page may be
 * reported by a sweep and by an unmap that ran at the same time. A leaf larger than the bitmap's
 * pages sets all of its bits, a smaller one the bit that it lies in. In a domain with
 * IOPT_ACCESSED_TABLES, tables that no device touched since the last clearing sweep are not looked
 * into; the gather of a clearing sweep then owes an invalidation even if nothing was dirty, and a
 * clearing sweep that finds an earlier one's not synced pays that first. Never blocks map, unmap or
 * the readers.
 *
 * Return: 0: done; 1: the budget was spent, go on at @next; -EINVAL: backward range, unknown flags,
 * no gather where one is needed; -ERANGE: beyond the domain's width or the bitmap; -EOPNOTSUPP: the
 * domain was not created for tracking; or what the sink's function returned.
 * Context: clearing sweeps whose ranges overlap exclude each other (by locks that nobody else
 * takes), so that a range may be sharded over threads, each with a gather of its own; may sleep for
 * that. Leaves its read section after a bounded number of tables.
 */
int iopt_sweep(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
	       const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget,
	       uint64_t *next);

/* ---- statistics ---------------------------------------------------------------------------- */

/* Why a table was freed while its domain was live, struct iopt_stats::freed. */
enum iopt_freed {
	IOPT_FREED_RACE,  /* another mapper was first (the table may be back in a reserve) */
	IOPT_FREED_BLOCK, /* a block was mapped over the empty table */
	IOPT_FREED_UNMAP, /* an unmap covered all of it */
	IOPT_FREED_TRIM,  /* it was empty */
	IOPT_FREED_MERGE, /* its leaves became a larger one */
	IOPT_NR_FREED
};

/**
 * struct iopt_stats - tables of a domain
 * @live:        linked now, by level of the table
 * @tables:      linked now, together
 * @tables_peak: most at any time; to within what other threads link and unlink in an instant
 * @table_bytes: bytes of the linked tables
 * @table_bytes_peak: most at any time
 * @freed:       freed so far, by reason
 * @grown:       how often the top grew
 * @split:       leaves that were split into smaller ones
 * @merged:      leaves that were made of smaller ones
 */
struct iopt_stats {
	uint64_t live[IOPT_MAX_LEVELS];
	uint64_t tables;
	uint64_t tables_peak;
	uint64_t table_bytes;
	uint64_t table_bytes_peak;
	uint64_t freed[IOPT_NR_FREED];
	uint64_t grown;
	uint64_t split;
	uint64_t merged;
};

/**
 * iopt_stats() - read the counters
 * @domain: the domain
 * @stats:  filled in; single counters are exact, their sum may be of different moments
 *
 * Counted where tables come and go only, never by a map or unmap that finds its tables in place.
 * Mapped bytes by leaf size come from iopt_visit().
 * Context: any.
 */
void iopt_stats(const struct iopt_domain *domain, struct iopt_stats *stats);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
