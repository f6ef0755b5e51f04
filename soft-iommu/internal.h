/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the soft-iommu's files share: formats, caches, gates, and the objects behind soft_iommu.h.
 */
#ifndef SOFT_IOMMU_INTERNAL_H
#define SOFT_IOMMU_INTERNAL_H

#include <pthread.h>

#include "soft_iommu.h"

#define SOFT_MAX_LEVELS	 6u
#define SOFT_ADDRESS_END 52u /* no format but RISC-V has address bits from here on in an entry */

/* ---- formats ------------------------------------------------------------------------------- */

enum soft_kind {
	SOFT_EMPTY, /* not present */
	SOFT_TABLE, /* leads to a table further down */
	SOFT_LEAF,  /* translates */
	SOFT_WRONG, /* see soft_entry::reason */
};

/**
 * struct soft_entry - a decoded entry
 * @pa:	    table: its address; leaf: of the leaf's first byte (of the whole run)
 * @own:    leaf, where each entry of a run has an address of its own: that
 * @kind:   enum soft_kind
 * @reason: enum soft_iommu_reason, for SOFT_WRONG
 * @lg2:    leaf: log2 of its bytes (of the whole run)
 * @prot:   IOPT_READ and so on, as this entry alone grants them
 * @skips:  table: how many levels lie between, whose IOVA bits have to be 0
 */
struct soft_entry {
	uint64_t pa;
	uint64_t own;
	uint8_t kind;
	uint8_t reason;
	uint8_t lg2;
	uint8_t prot;
	uint8_t skips;
};

/**
 * struct soft_root - where a walk starts, and what it maintains
 * @pa:	      address of the top table, a multiple of 2^SOFT_ROOT_LG2
 * @levels:   1 to SOFT_MAX_LEVELS
 * @width:    IOVA bits that the tables translate, if the top has not as many entries as other
 *            tables; else 0
 * @upper:    IOVAs have all bits above these set, not clear
 * @accessed: set accessed bits
 * @dirty:    set dirty bits
 */
struct soft_root {
	uint64_t pa;
	uint8_t levels;
	uint8_t width;
	bool upper;
	bool accessed;
	bool dirty;
};

/**
 * struct soft_format - how hardware reads one format
 * @name:	 as iopt_config::format
 * @granule_lg2: the smallest leaf
 * @index_lg2:	 IOVA bits that a level translates
 * @entry_lg2:	 bytes of an entry: 2 or 3
 * @accessed:	 the accessed bit of leaves
 * @accessed_table: the accessed bit of table entries; 0: hardware sets none there
 * @dirty:	 the bit of leaves that says dirty
 * @inverted:	 the same, if it says so by being clear; else 0
 * @significant: bits of a leaf that must be the same in all entries of a run, if these are equal;
 *		 0: there are no such runs
 * @own_addresses: each entry of a run has its own address
 * @variant:	 for @read_root and @decode, where they are of several formats
 * @fetches:	 knows instruction fetches and privilege
 * @demands_marks: where it does not set accessed and dirty itself, it faults where they are clear
 * @read_root:	 take the registers' or descriptor's fields; 0, or -EINVAL if hardware would not
 *		 have them
 * @decode:	 read @entry of a table at @level; the address bits in @beyond are more than this
 *		 hardware has. Pure.
 */
struct soft_format {
	const char *name;
	uint8_t granule_lg2;
	uint8_t index_lg2;
	uint8_t entry_lg2;
	uint64_t accessed;
	uint64_t accessed_table;
	uint64_t dirty;
	uint64_t inverted;
	uint64_t significant;
	const void *variant;
	bool own_addresses;
	bool fetches;
	bool demands_marks;
	int (*read_root)(const struct soft_format *format, const struct iopt_hw *hw,
			 struct soft_root *root);
	struct soft_entry (*decode)(const struct soft_format *format, uint64_t entry,
				    unsigned level, uint64_t beyond);
};

extern const struct soft_format soft_vtd_ss;
extern const struct soft_format soft_x86_64;
extern const struct soft_format soft_amd_v1;
extern const struct soft_format soft_riscv_s1;
extern const struct soft_format soft_riscv_g;
extern const struct soft_format soft_arm_s1;
extern const struct soft_format soft_arm_s1_16k;
extern const struct soft_format soft_arm_s1_64k;
extern const struct soft_format soft_arm_s1_lpa2;
extern const struct soft_format soft_arm_s1_16k_lpa2;
extern const struct soft_format soft_arm_s2;
extern const struct soft_format soft_arm_s2_16k;
extern const struct soft_format soft_arm_s2_64k;
extern const struct soft_format soft_arm_s2_lpa2;
extern const struct soft_format soft_arm_s2_16k_lpa2;
extern const struct soft_format soft_arm_lpae32_s1;
extern const struct soft_format soft_arm_lpae32_s2;
extern const struct soft_format soft_arm_mali;
extern const struct soft_format soft_arm_v7s;
extern const struct soft_format soft_arm_v7s_mtk;
extern const struct soft_format soft_apple_dart;
extern const struct soft_format soft_apple_dart_4k;
extern const struct soft_format soft_apple_dart2;

/* log2 of the bytes that one entry of a table at this level translates. */
static inline unsigned soft_entry_lg2(const struct soft_format *format, unsigned level)
{
	return format->granule_lg2 + format->index_lg2 * level;
}

static inline bool soft_is_dirty(const struct soft_format *format, uint64_t entry)
{
	return (entry ^ format->inverted) & format->dirty;
}

/* What a walk starts with. */
#define SOFT_ALL_PROT  (IOPT_READ | IOPT_WRITE | IOPT_EXEC)
/* What only a leaf speaks of. */
#define SOFT_LEAF_ONLY (IOPT_SNOOP | IOPT_UNCACHED | IOPT_DEVICE)

/* Permissions are those of all levels together. */
static inline unsigned soft_combine(unsigned above, unsigned prot)
{
	return (above & prot & SOFT_ALL_PROT) | ((above | prot) & IOPT_PRIV) |
	       (prot & SOFT_LEAF_ONLY);
}

static inline struct soft_entry soft_wrong(enum soft_iommu_reason reason)
{
	return (struct soft_entry){ .kind = SOFT_WRONG, .reason = (uint8_t)reason };
}

/* ---- caches -------------------------------------------------------------------------------- */

/* struct soft_slot::flags, beside IOPT_READ and so on in the low byte. */
#define SOFT_CLEAN  0x100u /* a write must walk: it has a dirty bit to set */
#define SOFT_ABSENT 0x200u /* the entry was not present */

/**
 * struct soft_slot - something cached about the naturally aligned 2^lg2 bytes at an IOVA
 * @key:	(iova >> lg2) << 6 | lg2; 0: unused
 * @pa:		translation: physical address of the first byte; table pointer: of the table
 * @generation: table pointer: of the table's page when it was cached
 * @flags:	IOPT_READ and so on, SOFT_CLEAN, SOFT_ABSENT
 */
struct soft_slot {
	uint64_t key;
	uint64_t pa;
	uint32_t generation;
	uint32_t flags;
};

/**
 * struct soft_cache - an open-addressing hash of slots; grows, never drops by itself
 * @slots:    2^lg2 of them; NULL while nothing was ever put in
 * @lg2:      of their number
 * @used:     how many are in use
 * @sizes:    bit n: slots of 2^n bytes are in use
 * @of_size:  how many
 */
struct soft_cache {
	struct soft_slot *slots;
	unsigned lg2;
	uint64_t used;
	uint64_t sizes;
	uint64_t of_size[64];
};

void soft_cache_fini(struct soft_cache *cache);
/* What is cached for the 2^lg2 bytes around an IOVA, or NULL. Good until the cache is changed. */
struct soft_slot *soft_cache_find(const struct soft_cache *cache, uint64_t iova, unsigned lg2);
/* The smallest thing that is cached around an IOVA, or NULL. */
struct soft_slot *soft_cache_find_any(const struct soft_cache *cache, uint64_t iova);
/* Put in or replace. Without memory nothing is cached, as hardware may always do. */
void soft_cache_put(struct soft_cache *cache, uint64_t iova, unsigned lg2, uint64_t pa,
		    uint32_t generation, uint32_t flags);
/* Drop all that overlaps first..last. */
void soft_cache_drop(struct soft_cache *cache, uint64_t first, uint64_t last);
void soft_cache_drop_all(struct soft_cache *cache);
/* Drop what a random number points at, if anything. */
void soft_cache_evict(struct soft_cache *cache, uint64_t random);

/* ---- gates --------------------------------------------------------------------------------- */

/*
 * What is in flight holds its device's gate; an invalidation takes it to change the caches, and has
 * so waited for the access when it gets it. Invalidations that wait are
 * counted and let in first, else a device that hammers would starve them.
 */
struct soft_gate {
	uint32_t held;
	uint32_t waiting;
};

void soft_gate_enter(struct soft_gate *gate); /* an access or a walk */
void soft_gate_close(struct soft_gate *gate); /* an invalidation, or who reads counters */

static inline void soft_gate_leave(struct soft_gate *gate)
{
	__atomic_store_n(&gate->held, 0, __ATOMIC_RELEASE);
}

/* ---- objects ------------------------------------------------------------------------------- */

/**
 * struct soft_iommu - a unit
 * @config: as given, with the defaults filled in
 * @beyond: address bits of an entry that this hardware doesn't have
 * @counts: by reason; atomic
 * @lock:   of what follows
 * @ring:   config.events of them
 * @oldest: index of the oldest kept event
 * @kept:   how many are kept; read without the lock to see that it is full
 * @number: of the next event
 */
struct soft_iommu {
	struct soft_iommu_config config;
	uint64_t beyond;
	uint64_t counts[SOFT_IOMMU_NR_REASONS];
	pthread_mutex_t lock;
	struct soft_iommu_event *ring;
	uint32_t oldest;
	uint32_t kept;
	uint64_t number;
};

/**
 * struct soft_iommu_domain - a domain
 * @unit:	   where it is
 * @format:	   how its entries are read
 * @flags:	   SOFT_IOMMU_SIGN_EXTEND and so on
 * @id:		   in events
 * @root:	   struct soft_root in one word; atomic
 * @devices:	   list; grows at its head while others read it
 * @walks:	   of soft_iommu_walk()
 * @invalidations: atomic
 */
struct soft_iommu_domain {
	struct soft_iommu *unit;
	const struct soft_format *format;
	uint32_t flags;
	uint32_t id;
	uint64_t root;
	struct soft_iommu_device *devices;
	struct soft_gate walks;
	uint64_t invalidations;
};

/**
 * struct soft_iommu_device - a device; what follows @gate is its holder's
 * @next:   of the domain's devices
 * @domain: where it is
 * @config: as given
 * @gate:   held while an access is in flight
 * @random: state of the generator
 * @iotlb:  translations
 * @tables: pointers to tables, by what their table translates (paging-structure caches)
 * @tlb:    the device TLB
 * @stats:  the counters
 */
struct soft_iommu_device {
	struct soft_iommu_device *next;
	struct soft_iommu_domain *domain;
	struct soft_iommu_device_config config;
	struct soft_gate gate;
	uint64_t random;
	struct soft_cache iotlb;
	struct soft_cache tables;
	struct soft_cache tlb;
	struct soft_iommu_stats stats;
};

/*
 * The root in one word. Its address has at most 56 bits and none of the lowest, which the smallest
 * tops that there are leave clear, so that twelve bits are left for the rest.
 */
#define SOFT_ROOT_LG2	   5u
#define SOFT_ROOT_SHIFT	   12u /* of the address less its lowest bits */
#define SOFT_ROOT_LEVELS   0x7ull
#define SOFT_ROOT_ACCESSED 0x8ull
#define SOFT_ROOT_DIRTY	   0x10ull
#define SOFT_ROOT_WIDTH	   0x7e0ull
#define SOFT_ROOT_UPPER	   0x800ull

#define SOFT_ROOT_WIDTH_SHIFT 5u

static inline uint64_t soft_root_pack(const struct soft_root *root)
{
	return root->pa >> SOFT_ROOT_LG2 << SOFT_ROOT_SHIFT | root->levels |
	       (root->accessed ? SOFT_ROOT_ACCESSED : 0) | (root->dirty ? SOFT_ROOT_DIRTY : 0) |
	       (root->upper ? SOFT_ROOT_UPPER : 0) | (uint64_t)root->width << SOFT_ROOT_WIDTH_SHIFT;
}

static inline struct soft_root soft_root_unpack(uint64_t word)
{
	return (struct soft_root){
		.pa = word >> SOFT_ROOT_SHIFT << SOFT_ROOT_LG2,
		.upper = word & SOFT_ROOT_UPPER,
		.levels = word & SOFT_ROOT_LEVELS,
		.width = (word & SOFT_ROOT_WIDTH) >> SOFT_ROOT_WIDTH_SHIFT,
		.accessed = word & SOFT_ROOT_ACCESSED,
		.dirty = word & SOFT_ROOT_DIRTY,
	};
}

/* ---- walks --------------------------------------------------------------------------------- */

/**
 * struct soft_walk - a walk and what it found
 * @domain:   where
 * @device:   whose caches are used and whose bits are set; NULL: none, only look
 * @iova:     the byte looked for
 * @request:  SOFT_IOMMU_WRITE and so on; not checked without @device
 * @entry_pa: address of the last entry that was read; 0: none was
 * @entry:    its value, as the walk left it
 * @level:    its level
 * @leaf:     decoded, on SOFT_IOMMU_DONE; its prot is that of all levels
 * @clean:    on SOFT_IOMMU_DONE: the leaf has a dirty bit to be set by a later write
 */
struct soft_walk {
	struct soft_iommu_domain *domain;
	struct soft_iommu_device *device;
	uint64_t iova;
	unsigned request;
	uint64_t entry_pa;
	uint64_t entry;
	unsigned level;
	struct soft_entry leaf;
	bool clean;
};

/* The caller holds the gate of the device, or of the domain's walks. */
enum soft_iommu_reason soft_walk(struct soft_walk *walk);

/* Are these permissions enough? SOFT_IOMMU_DONE if so. */
enum soft_iommu_reason soft_permitted(const struct soft_format *format, unsigned prot,
				      unsigned request);

/* 48 bits from the device's generator. */
uint64_t soft_random(struct soft_iommu_device *device);
/* True about once in @times for a device that is SOFT_IOMMU_RANDOM, never for others or NULL. */
bool soft_now_and_then(struct soft_iommu_device *device, unsigned times);

/* ---- events -------------------------------------------------------------------------------- */

/* Count, and keep if it is to be kept. The number is filled in here. */
void soft_report(struct soft_iommu *unit, struct soft_iommu_event *event);

#endif
