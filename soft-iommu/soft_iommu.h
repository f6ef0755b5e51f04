/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The soft-iommu: a device's side of the tables, and an adversary to whoever writes them. Devices
 * hand in an IOVA; it walks the tables as that hardware does, caches all that an IOMMU may cache,
 * keeps it stale until it is told to drop it, sets accessed and dirty bits by atomic operations,
 * and reports whatever is wrong with what it read.
 *
 * It decodes entries by a reading of the specifications of its own (walk_*.c) and shares no code
 * with the engine: it knows only <iopt/iopt.h>'s words for "what the hardware must be told" and
 * "what is owed", and reaches table memory through callbacks. For tests and `iopt replay`; not
 * installed.
 *
 * Objects: a unit (memory, events) holds domains (root, format), a domain holds devices (caches).
 *
 * Who may run at the same time: every device is used by one thread at a time, different devices by
 * different threads. soft_iommu_invalidate(), soft_iommu_set_root(), soft_iommu_walk() and what
 * reads events and counters may run on any thread beside them. Objects are created and destroyed
 * while their own domain (a unit: all of them) is neither accessed nor invalidated.
 *
 * An access is in flight from before its first look into a cache until its touch callback has
 * returned; soft_iommu_invalidate() waits for what was in flight.
 */
#ifndef SOFT_IOMMU_SOFT_IOMMU_H
#define SOFT_IOMMU_SOFT_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iopt/iopt.h>
#include <iopt/posix.h>

struct soft_iommu;
struct soft_iommu_domain;
struct soft_iommu_device;

/* ---- what can go wrong --------------------------------------------------------------------- */

/** enum soft_iommu_reason - how an access or a walk ended */
enum soft_iommu_reason {
	SOFT_IOMMU_DONE, /* it was translated */

	/* What a device may meet although the tables are in order. */
	SOFT_IOMMU_NOT_PRESENT,	  /* an entry that isn't present */
	SOFT_IOMMU_NO_READ,	  /* no permission to read, in the leaf or above it */
	SOFT_IOMMU_NO_WRITE,	  /* no permission to write */
	SOFT_IOMMU_NO_EXEC,	  /* no permission to fetch instructions */
	SOFT_IOMMU_NO_USER,	  /* for supervisor requests only */
	SOFT_IOMMU_BEYOND_WIDTH,  /* an IOVA that the levels don't translate */
	SOFT_IOMMU_NOT_CANONICAL, /* an IOVA that is not sign-extended, where it must be */

	/* Breaches: no device ever meets these while the tables' owner keeps to the rules. */
	SOFT_IOMMU_RESERVED_BITS, /* a reserved bit of a present entry is set */
	SOFT_IOMMU_MISALIGNED,	  /* a block whose address is not a multiple of its size */
	SOFT_IOMMU_BAD_SIZE,	  /* AMD: a run of a size that its level can't hold */
	SOFT_IOMMU_BAD_LEVEL,	  /* AMD: an entry that leads up or sideways */
	SOFT_IOMMU_SKIPPED_LEVEL, /* AMD: an entry that leads down by more than one level. Hardware
				   * allows it; no table of ours does it, so that it is a torn or
				   * stale root or a table in the wrong place */
	SOFT_IOMMU_REPLICAS_DIFFER, /* an entry of a run is present and leads elsewhere. Sizes
				     * and permissions may differ while they are changed */
	SOFT_IOMMU_NOT_MARKED,	    /* accessed or dirty is clear, and hardware may not set it:
				* RISC-V untold, any that does not snoop */
	SOFT_IOMMU_FREED_TABLE, /* a table was read that is free, or was freed and used again since
				 * the pointer to it was cached, or that held poison */
	SOFT_IOMMU_NO_MEMORY,	/* an entry leads to where no table memory is */
	SOFT_IOMMU_NR_REASONS
};

/* Bits of these, for masks. */
#define SOFT_IOMMU_BIT(reason) (1u << (reason))
#define SOFT_IOMMU_BREACHES \
	(SOFT_IOMMU_BIT(SOFT_IOMMU_NR_REASONS) - SOFT_IOMMU_BIT(SOFT_IOMMU_RESERVED_BITS))

/**
 * struct soft_iommu_event - one fault or breach
 * @number:   counts the unit's recorded events, from 0
 * @iova:     where the device went
 * @entry_pa: physical address of the entry that was read; 0: none was
 * @entry:    its value; REPLICAS_DIFFER: of the replica that differs
 * @domain:   soft_iommu_domain_config::id
 * @device:   soft_iommu_device_config::id; SOFT_IOMMU_NO_DEVICE: soft_iommu_walk()
 * @reason:   enum soft_iommu_reason
 * @level:    of the entry, 0: smallest leaves
 * @request:  SOFT_IOMMU_WRITE and so on
 * @cached:   not from the tables but from a cached translation
 */
struct soft_iommu_event {
	uint64_t number;
	uint64_t iova;
	uint64_t entry_pa;
	uint64_t entry;
	uint32_t domain;
	uint32_t device;
	uint8_t reason;
	uint8_t level;
	uint8_t request;
	bool cached;
};

#define SOFT_IOMMU_NO_DEVICE UINT32_MAX

/**
 * soft_iommu_reason_name() - a reason in words
 * @reason: which
 *
 * Return: static text, a few words, e.g. "reserved bits set".
 */
const char *soft_iommu_reason_name(enum soft_iommu_reason reason);

/* Enough for any text of an event. */
#define SOFT_IOMMU_TEXT_BYTES 192u

/**
 * soft_iommu_event_text() - an event as one line, without a line end
 * @event: what
 * @text:  SOFT_IOMMU_TEXT_BYTES to fill in
 *
 * Return: @text.
 */
const char *soft_iommu_event_text(const struct soft_iommu_event *event,
				  char text[SOFT_IOMMU_TEXT_BYTES]);

/* ---- unit ---------------------------------------------------------------------------------- */

/**
 * struct soft_iommu_config - where table memory is and what is recorded
 * @va:         where the byte at a physical address is mapped, NULL: nowhere (iopt_posix_va() fits)
 * @image:      the same for domains with SOFT_IOMMU_NO_SNOOP, which read it there
 *              (iopt_posix_image_va() fits); NULL: there can be none
 * @state:      what became of a table page (iopt_posix_table_state() fits); NULL: not watched
 * @poison:     value that fills freed tables (IOPT_POSIX_POISON); 0: none
 * @pa_lg2:     physical address bits that this hardware has, 32 to 52; those above are reserved in
 *              entries. 0: 52
 * @events:     places for events until they are read, at least 2. 0: 256
 * @count_only: SOFT_IOMMU_BIT() of reasons that are counted and never kept
 */
struct soft_iommu_config {
	void *(*va)(uint64_t pa);
	void *(*image)(uint64_t pa);
	enum iopt_posix_state (*state)(uint64_t pa, uint32_t *generation);
	uint64_t poison;
	uint8_t pa_lg2;
	uint32_t events;
	uint32_t count_only;
};

/**
 * soft_iommu_create() - make a unit
 * @config: how it is to be; read only during the call
 * @unit:   set to it on success
 *
 * Return: 0; -EINVAL: no @va, one place for events, or a @pa_lg2 out of range; -ENOMEM.
 */
int soft_iommu_create(const struct soft_iommu_config *config, struct soft_iommu **unit);

/**
 * soft_iommu_destroy() - free a unit
 * @unit: its domains are destroyed already; NULL is allowed
 */
void soft_iommu_destroy(struct soft_iommu *unit);

/**
 * soft_iommu_events() - take the oldest events
 * @unit:   the unit
 * @events: array of @nr, filled in
 * @nr:     at least 1
 *
 * When all places are taken new events are only counted: the first fault tells most. Half of
 * the places are kept for breaches.
 * Return: how many were taken. Context: any.
 */
size_t soft_iommu_events(struct soft_iommu *unit, struct soft_iommu_event *events, size_t nr);

/**
 * soft_iommu_count() - how many accesses and walks ended for these reasons so far
 * @unit:    the unit
 * @reasons: SOFT_IOMMU_BIT()s, e.g. SOFT_IOMMU_BREACHES; SOFT_IOMMU_DONE isn't counted here
 *
 * Context: any; never goes back.
 */
uint64_t soft_iommu_count(const struct soft_iommu *unit, uint32_t reasons);

/* ---- domains ------------------------------------------------------------------------------- */

/* struct soft_iommu_domain_config::flags */
#define SOFT_IOMMU_SIGN_EXTEND 0x1u /* x86-64: IOVAs must be canonical; else bits above are zero */
/*
 * Walks do not snoop: they read memory as write-backs left it, and never write. Where the hardware
 * would have to set accessed or dirty it faults (VT-d section 3.10).
 */
#define SOFT_IOMMU_NO_SNOOP    0x2u

/**
 * struct soft_iommu_domain_config - a domain as the hardware is told of it
 * @format: as iopt_config::format, "vtd-ss" for one
 * @hw:     from iopt_hw(). Of each format its own fields are used (ssptptr and aw, fsptptr and
 *          fspm, root_ptr and mode, ssade, had), as registers and descriptors would, not root and
 *          levels
 * @flags:  SOFT_IOMMU_SIGN_EXTEND, SOFT_IOMMU_NO_SNOOP
 * @id:     the caller's number for it, in events
 */
struct soft_iommu_domain_config {
	const char *format;
	struct iopt_hw hw;
	uint32_t flags;
	uint32_t id;
};

/**
 * soft_iommu_domain_create() - make a domain that no device uses yet
 * @unit:   the unit
 * @config: how it is to be; read only during the call
 * @domain: set to it on success
 *
 * Return: 0; -ENOENT: no such format; -EINVAL: a root, address width or mode that this format's
 * registers and descriptors can't hold, or the unit has no image for one that does not snoop;
 * -ENOMEM.
 */
int soft_iommu_domain_create(struct soft_iommu *unit, const struct soft_iommu_domain_config *config,
			     struct soft_iommu_domain **domain);

/**
 * soft_iommu_domain_destroy() - free a domain
 * @domain: its devices are destroyed already; NULL is allowed
 */
void soft_iommu_domain_destroy(struct soft_iommu_domain *domain);

/**
 * soft_iommu_set_root() - tell the hardware of a new root
 * @domain: the domain
 * @hw:     from iopt_hw()
 *
 * Root and levels change as one word, as in a device-table entry written by one atomic store;
 * caches are kept. When it returns, every access that begins uses the new ones; those in flight may
 * still use the old ones.
 * Return: 0; -EINVAL: see soft_iommu_domain_create(). Context: any; does not wait.
 */
int soft_iommu_set_root(struct soft_iommu_domain *domain, const struct iopt_hw *hw);

/**
 * soft_iommu_invalidate() - drop from the caches what a gather names, and nothing else
 * @domain: the domain
 * @gather: owes, nr_ranges and ranges are read
 *
 * Translations that overlap one of the ranges leave the IOTLB of every device. Cached pointers to
 * tables (paging-structure caches) of the ranges go only with IOPT_OWES_TABLES or IOPT_OWES_DIRTY,
 * else they stay: a leaf-only hint. With IOPT_OWES_ALL both are emptied. Then, with
 * IOPT_OWES_DEVICE_TLB and not without it, the same for device TLBs. Returns when that is done and
 * all accesses and walks that were in flight have ended, even if nothing was named.
 * Context: any thread that is not inside a touch callback; several at once; waits for the touch
 * callbacks that are running.
 */
void soft_iommu_invalidate(struct soft_iommu_domain *domain, const struct iopt_gather *gather);

/**
 * struct soft_iommu_translation - what an independent walk found
 * @pa:       physical address of that very byte
 * @entry_pa: physical address of the leaf (of a run: the entry that this IOVA leads to)
 * @entry:    its value
 * @prot:     IOPT_READ and so on, of all levels together (snooping and memory type: the
 *            leaf's)
 * @leaf_lg2: size of the leaf (of the whole run)
 * @level:    of the entry
 * @accessed: the leaf's accessed bit (of a run: of that entry), false where not in use
 * @dirty:    the leaf's dirty bit, likewise
 */
struct soft_iommu_translation {
	uint64_t pa;
	uint64_t entry_pa;
	uint64_t entry;
	uint8_t prot;
	uint8_t leaf_lg2;
	uint8_t level;
	bool accessed;
	bool dirty;
};

/**
 * soft_iommu_walk() - look an IOVA up in the tables as they are now
 * @domain: the domain
 * @iova:   any byte
 * @result: filled in if SOFT_IOMMU_DONE is returned; may be NULL
 *
 * No caches, no accessed or dirty bits; permissions are reported, not checked. In flight like an
 * access. Breaches are counted and recorded, other reasons only returned.
 * Context: any; walks of one domain take turns.
 */
enum soft_iommu_reason soft_iommu_walk(struct soft_iommu_domain *domain, uint64_t iova,
				       struct soft_iommu_translation *result);

/**
 * soft_iommu_invalidations() - how often the domain was invalidated so far
 * @domain: the domain
 *
 * Context: any.
 */
uint64_t soft_iommu_invalidations(const struct soft_iommu_domain *domain);

/* ---- devices ------------------------------------------------------------------------------- */

/* struct soft_iommu_device_config::flags */
#define SOFT_IOMMU_ATS 0x1u /* has a device TLB, filled by translation requests */
#define SOFT_IOMMU_RANDOM \
	0x2u /* evicts, walks again and dawdles at random; else nothing is ever
				 * dropped but by an invalidation */
#define SOFT_IOMMU_PIECES \
	0x4u /* caches pieces of larger leaves, a granule each, so that an invalidation
				 * must name all of them; else whole leaves. With RANDOM: either */
#define SOFT_IOMMU_CACHE_EMPTY 0x8u /* caches entries that aren't present (VT-d caching mode) */

/**
 * struct soft_iommu_device_config - a device
 * @touch: the access itself, while it is in flight: read or write what lies at @pa. Must not use
 *         its device nor invalidate its domain. NULL: nothing is touched
 * @flags: SOFT_IOMMU_ATS and so on
 * @id:    the caller's number for it, in events; not SOFT_IOMMU_NO_DEVICE
 * @seed:  of SOFT_IOMMU_RANDOM
 */
struct soft_iommu_device_config {
	void (*touch)(void *ctx, uint64_t iova, uint64_t pa, bool write);
	uint32_t flags;
	uint32_t id;
	uint64_t seed;
};

/**
 * soft_iommu_device_create() - make a device with empty caches in a domain
 * @domain: the domain
 * @config: how it is to be; read only during the call
 * @device: set to it on success
 *
 * Return: 0; -EINVAL: unknown flags; -ENOMEM.
 */
int soft_iommu_device_create(struct soft_iommu_domain *domain,
			     const struct soft_iommu_device_config *config,
			     struct soft_iommu_device **device);

/**
 * soft_iommu_device_destroy() - free a device
 * @device: NULL is allowed
 */
void soft_iommu_device_destroy(struct soft_iommu_device *device);

/* Requests. */
#define SOFT_IOMMU_READ	      0x0u
#define SOFT_IOMMU_WRITE      0x1u
#define SOFT_IOMMU_FETCH      0x2u /* x86-64: an instruction fetch, with READ */
#define SOFT_IOMMU_SUPERVISOR 0x4u /* x86-64: with supervisor privilege */

/**
 * soft_iommu_access() - a device reads or writes within one page of the granule
 * @device:  the device
 * @iova:    any byte
 * @request: SOFT_IOMMU_READ or SOFT_IOMMU_WRITE, with attributes
 * @ctx:     for the touch callback, which is called if this returns SOFT_IOMMU_DONE
 *
 * Where the format has them and the hardware was told to, accessed bits of the tables and the leaf
 * and, for a write, the dirty bit of the leaf are set before the access; what is cached with its
 * dirty bit set isn't written again. A write through a translation that was cached clean walks
 * again (the IOTLB entry does not serve it) but may start from cached table pointers.
 *
 * Return: why not, or SOFT_IOMMU_DONE.
 * Context: one thread a device; waits while the device's caches are being invalidated.
 * Invalidations wait for a thread that loses its processor in flight. With more threads than
 * processors, one that does nothing but accesses had better yield between two of them now and then.
 */
enum soft_iommu_reason soft_iommu_access(struct soft_iommu_device *device, uint64_t iova,
					 unsigned request, void *ctx);

/**
 * struct soft_iommu_stats - what a device did so far
 * @accesses:    calls of soft_iommu_access()
 * @tlb_hits:    served by the device TLB
 * @iotlb_hits:  served by the IOTLB
 * @walks:       walks
 * @skipped:     tables that walks did not read, thanks to cached pointers
 * @dirty_set:   dirty bits set
 * @iotlb_entries: translations in the IOTLB now
 * @table_entries: cached pointers to tables now
 * @tlb_entries: translations in the device TLB now
 */
struct soft_iommu_stats {
	uint64_t accesses;
	uint64_t tlb_hits;
	uint64_t iotlb_hits;
	uint64_t walks;
	uint64_t skipped;
	uint64_t dirty_set;
	uint64_t iotlb_entries;
	uint64_t table_entries;
	uint64_t tlb_entries;
};

/**
 * soft_iommu_stats() - read a device's counters
 * @device: the device
 * @stats:  filled in
 *
 * Context: any thread that is not inside this device's touch callback.
 */
void soft_iommu_stats(struct soft_iommu_device *device, struct soft_iommu_stats *stats);

#endif
