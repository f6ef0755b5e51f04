/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the engine asks of a hardware format.
 *
 * A format (formats/NAME.h) is a set of pure functions over one entry and one `static const struct
 * iopt_format NAME_format`. engine/instance.c is compiled once for each format, against that very
 * object, so that the compiler sees through every pointer here: no indirect call is left in the
 * generated code. Functions here never touch memory, never loop over a table and know nothing of
 * domains, RCU or atomics.
 *
 * Entries are carried as uint64_t, whether they have 8 bytes in memory or 4 (info.entry_lg2).
 * Levels count from 0, the table that holds the smallest leaves. An entry at level L translates
 * granule_lg2 + L * index_lg2 bits.
 */
#ifndef ENGINE_FORMAT_H
#define ENGINE_FORMAT_H

#include "engine/bits.h"
#include "engine/errors.h"
#include "iopt/iopt.h"

/**
 * enum iopt_kind - what an entry is to the engine
 * @IOPT_EMPTY: all bits zero: nothing is mapped; may be taken
 * @IOPT_LEAF:  translates, alone or as one entry of a run
 * @IOPT_TABLE: leads to a table of the level below
 * @IOPT_SOFT:  not present to hardware, a value of the engine's own (enum iopt_soft)
 */
enum iopt_kind { IOPT_EMPTY, IOPT_LEAF, IOPT_TABLE, IOPT_SOFT };

/**
 * enum iopt_soft - which value of the engine's own an entry of kind IOPT_SOFT is
 * @IOPT_DEAD:     its owner unlinked the table that it lies in: never taken, never rolled back
 * @IOPT_FROZEN:   trim tries to take the table that it lies in; carries trim's generation
 * @IOPT_RETIRING: the table that hung here is being taken, caches may still lead to it; carries
 *                 that table's address
 */
enum iopt_soft { IOPT_DEAD, IOPT_FROZEN, IOPT_RETIRING };

/* Bits of a generation that a frozen entry carries in every format. */
#define IOPT_GENERATION_BITS 24u

/**
 * struct iopt_geometry - the shape of a domain's tables
 * @levels:   tables on the way to a leaf of level 0, top included
 * @iova_lg2: IOVA bits that they translate
 * @pa_lg2:   physical address bits
 */
struct iopt_geometry {
	uint8_t levels;
	uint8_t iova_lg2;
	uint8_t pa_lg2;
};

/**
 * struct iopt_format - one hardware format
 *
 * @info:        what users are told (name, levels, sizes, abilities)
 * @top_exact:   the top table has as many index bits as the domain's IOVA width leaves it: fewer
 *               than another table's, or up to info.top_lg2 more. Else it always has index_lg2 +
 *               top_lg2. One that is neither always like other tables, never grows.
 * @soft_dead:   the reserved software value that an owner leaves in interior tables it unlinked:
 *               not present to hardware in any state, IOPT_SOFT for @kind
 * @table_hw:    bits of a table entry that hardware or sweeps may change while it stays the same
 *               table: a compare-and-exchange is retried when only these changed
 * @table_a:     the accessed bit of a table entry; 0: the format has none
 * @table_touched: the software bit "a sweep found it accessed last time"; 0 where @table_a is
 * @table_unwritten: the software bit of a table entry "not in memory yet, as far as this cache
 *               knows", which hardware ignores: set and cleared where walkers do not snoop
 *               (engine/lines.h). Not in use together with @table_touched, since nothing is tracked
 *               there, and off it all the same. 0: there is no such bit
 * @leaf_a:      bits that hardware sets in a leaf when it uses it: accessed
 * @leaf_fixed:  bits of a leaf that may not change while hardware may use it: a memory type, where
 *               the architecture wants a break before another one; 0: all may
 * @leaf_pending: the software bit of a leaf that is being split or merged: counts as dirty until
 *               what hardware wrote through stale caches has been collected
 * @dirty_and:   the dirty bit, if at level 0 clearing it by one atomic AND is enough: the slot's
 *               leaf size is fixed by the level (no runs), and the bit is zero in the engine's
 *               software values; 0: compare-and-exchange it is. The format's head works it out in
 *               writing.
 *
 * Software values and marks keep to bits that are ignored in every state of the entry, off those
 * that are reserved in present entries, and off the dirty and accessed bits. Where too few bits are
 * ignored, one that all software values share is enough; which of them it is may then lie, like a
 * generation or an address, where present entries have something of their own.
 *
 * @kind:        what an entry is. @level matters where a bit's meaning depends on it (page size).
 *               Where @table_a is not 0, a leaf is one by bits that are set: ORed with any other
 *               entries of its level it still is (sweeps look at many at once).
 * @soft:        which software value an entry of kind IOPT_SOFT is.
 * @frozen:      the software value with a generation, of IOPT_GENERATION_BITS bits. This and the
 *               next three are NULL without IOPT_CAN_TRIM: which bits hardware ignores is not known
 *               then, and nothing of the kind lies in a table that is in use. Such a format may
 *               resize leaves, or has no blocks.
 * @frozen_generation: which one.
 * @retiring:    the software value with the physical address of the table that hung there.
 * @retiring_pa: which one.
 * @leaf_attr:   checks @prot and encodes it (with the flags of iopt_config that show in entries)
 *               into @attr, for @leaf. Returns 0 or -EINVAL for what can't be expressed.
 * @leaf:        the entry number @slot of a leaf of 2^@size_lg2 bytes at physical address @pa
 *               (aligned to it), in a table of level @level. Entries of a run that are replicas are
 *               the same for each @slot.
 * @leaf_attrs:  all of a leaf but address and size, accessed, dirty and pending included, such that
 *               leaf() makes smaller and larger ones of it.
 * @leaf_lg2:    size of the leaf (of the whole run) that this entry is of.
 * @leaf_pa:     physical address where the leaf (the whole run) starts.
 * @leaf_prot:   IOPT_READ and so on. Takes what leaf_attrs() gives: where these bits lie in an
 *               entry may depend on its level and size.
 * @leaf_hw:     bits of this leaf that hardware or a sweep may change while it stays the same leaf:
 *               accessed, and the one that says dirty. All leaves with the same permissions have
 *               the same. Takes what leaf_attrs() gives, too.
 * @leaf_dirty:  whether hardware marked this entry dirty, or leaf_dirtied() did.
 * @leaf_accessed: the same for accessed.
 * @leaf_clean:  the entry with dirty cleared. Dirty is the state of one bit, which may well be 0;
 *               which bit it is may depend on the permissions (a format whose dirty bit is a
 *               permission has another one for leaves that nobody may write any more).
 * @leaf_dirtied: the entry with dirty set. Takes what leaf_attr() gives, too.
 * @table:       the entry, at level @level, that leads to the table at @pa, one level below. Starts
 *               with accessed set where hardware would otherwise have to write it.
 * @table_pa:    where it leads.
 * @table_accessed: whether hardware marked a table entry accessed; false where the format has none.
 * @fits:        whether hardware has such a geometry; NULL: any within what @info says.
 * @hw:          fill the format's part of struct iopt_hw for a root and a geometry.
 */
struct iopt_format {
	struct iopt_format_info info;
	bool top_exact;
	uint64_t soft_dead;
	uint64_t table_hw;
	uint64_t table_a;
	uint64_t table_touched;
	uint64_t table_unwritten;
	uint64_t leaf_a;
	uint64_t leaf_fixed;
	uint64_t leaf_pending;
	uint64_t dirty_and;

	enum iopt_kind (*kind)(uint64_t entry, unsigned level);

	enum iopt_soft (*soft)(uint64_t entry);
	uint64_t (*frozen)(uint32_t generation);
	uint32_t (*frozen_generation)(uint64_t entry);
	uint64_t (*retiring)(uint64_t pa);
	uint64_t (*retiring_pa)(uint64_t entry);

	int (*leaf_attr)(unsigned prot, uint32_t config_flags, uint64_t *attr);
	uint64_t (*leaf)(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2,
			 unsigned slot);
	uint64_t (*leaf_attrs)(uint64_t entry, unsigned level);
	unsigned (*leaf_lg2)(uint64_t entry, unsigned level);
	uint64_t (*leaf_pa)(uint64_t entry, unsigned level);
	unsigned (*leaf_prot)(uint64_t entry);
	uint64_t (*leaf_hw)(uint64_t entry);
	bool (*leaf_dirty)(uint64_t entry);
	bool (*leaf_accessed)(uint64_t entry);
	uint64_t (*leaf_clean)(uint64_t entry);
	uint64_t (*leaf_dirtied)(uint64_t entry);

	uint64_t (*table)(uint64_t pa, unsigned level);
	uint64_t (*table_pa)(uint64_t entry);
	bool (*table_accessed)(uint64_t entry);

	bool (*fits)(const struct iopt_geometry *geometry);
	void (*hw)(uint64_t root, const struct iopt_geometry *geometry, uint32_t config_flags,
		   struct iopt_hw *hw);
};

/* Whether the top table may have another number of entries than other tables. */
static inline bool has_own_top(const struct iopt_format *format)
{
	return format->info.top_lg2 || format->top_exact;
}

#endif
