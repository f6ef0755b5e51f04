/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The functions of one of the formats of arm_64.h. Included once by each of their headers, which
 * defines ARM_64_NAME(x), the name of the function x of that format, and ARM_64_NAME(is), its
 * struct arm_64. The members of its struct iopt_format are then ARM_64_FUNCTIONS, and ARM_64_MARKS,
 * or UNMARKED_FUNCTIONS with ARM_64_IS_UNMARKED defined. Nothing by itself.
 */
#ifdef ARM_64_NAME

static inline __attribute__((always_inline)) enum iopt_kind ARM_64_NAME(kind)(uint64_t entry,
									      unsigned level)
{
	return arm_64_kind(&ARM_64_NAME(is), entry, level);
}

static inline uint64_t ARM_64_NAME(retiring)(uint64_t pa)
{
	return arm_64_retiring(&ARM_64_NAME(is), pa);
}

static inline __attribute__((always_inline)) uint64_t ARM_64_NAME(table_pa)(uint64_t entry)
{
	return arm_64_oa_get(&ARM_64_NAME(is), entry);
}

static inline __attribute__((always_inline)) int
ARM_64_NAME(leaf_attr)(unsigned prot, uint32_t config_flags, uint64_t *attr)
{
	return arm_64_leaf_attr(&ARM_64_NAME(is), prot, config_flags, attr);
}

static inline __attribute__((always_inline)) uint64_t
ARM_64_NAME(leaf)(uint64_t attr, uint64_t pa, unsigned level, unsigned size_lg2, unsigned slot)
{
	return arm_64_leaf(&ARM_64_NAME(is), attr, pa, level, size_lg2, slot);
}

static inline uint64_t ARM_64_NAME(leaf_attrs)(uint64_t entry, unsigned level)
{
	(void)level;
	return arm_64_leaf_attrs(&ARM_64_NAME(is), entry);
}

static inline __attribute__((always_inline)) unsigned ARM_64_NAME(leaf_lg2)(uint64_t entry,
									    unsigned level)
{
	return arm_64_leaf_lg2(&ARM_64_NAME(is), entry, level);
}

static inline uint64_t ARM_64_NAME(leaf_pa)(uint64_t entry, unsigned level)
{
	return arm_64_leaf_pa(&ARM_64_NAME(is), entry, level);
}

static inline unsigned ARM_64_NAME(leaf_prot)(uint64_t entry)
{
	return arm_64_leaf_prot(&ARM_64_NAME(is), entry);
}

static inline uint64_t ARM_64_NAME(table)(uint64_t pa, unsigned level)
{
	(void)level;
	return ARM_64_VALID | ARM_64_TABLE | arm_64_oa_put(&ARM_64_NAME(is), pa);
}

static inline bool ARM_64_NAME(fits)(const struct iopt_geometry *geometry)
{
	return arm_64_fits(&ARM_64_NAME(is), geometry);
}

static inline void ARM_64_NAME(hw)(uint64_t root, const struct iopt_geometry *geometry,
				   uint32_t config_flags, struct iopt_hw *hw)
{
	arm_64_hw(&ARM_64_NAME(is), root, geometry, config_flags, &hw->arm);
}

#ifndef ARM_64_IS_UNMARKED

static inline bool ARM_64_NAME(leaf_dirty)(uint64_t entry)
{
	return arm_64_leaf_dirty(&ARM_64_NAME(is), entry);
}

static inline bool ARM_64_NAME(leaf_accessed)(uint64_t entry)
{
	return entry & ARM_64_AF;
}

static inline uint64_t ARM_64_NAME(leaf_clean)(uint64_t entry)
{
	return arm_64_leaf_clean(&ARM_64_NAME(is), entry);
}

static inline uint64_t ARM_64_NAME(leaf_dirtied)(uint64_t entry)
{
	return arm_64_leaf_dirtied(&ARM_64_NAME(is), entry);
}

static inline bool ARM_64_NAME(table_accessed)(uint64_t entry)
{
	(void)entry;
	return false;
}

#endif

/* clang-format off */
#ifndef ARM_64_FUNCTIONS
#define ARM_64_FUNCTIONS \
	.top_exact = true, \
	.soft_dead = ARM_64_SOFT, \
	.table_hw = 0, \
	.table_a = 0, \
	.table_touched = 0, \
	.table_unwritten = ARM_64_UNWRITTEN, \
	.leaf_fixed = ARM_64_FIXED, \
	.dirty_and = 0, \
	.kind = ARM_64_NAME(kind), \
	.soft = arm_64_soft, \
	.frozen = arm_64_frozen, \
	.frozen_generation = arm_64_frozen_generation, \
	.retiring = ARM_64_NAME(retiring), \
	.retiring_pa = ARM_64_NAME(table_pa), \
	.leaf_attr = ARM_64_NAME(leaf_attr), \
	.leaf = ARM_64_NAME(leaf), \
	.leaf_attrs = ARM_64_NAME(leaf_attrs), \
	.leaf_lg2 = ARM_64_NAME(leaf_lg2), \
	.leaf_pa = ARM_64_NAME(leaf_pa), \
	.leaf_prot = ARM_64_NAME(leaf_prot), \
	.table = ARM_64_NAME(table), \
	.table_pa = ARM_64_NAME(table_pa), \
	.fits = ARM_64_NAME(fits), \
	.hw = ARM_64_NAME(hw)
/* Hardware sets the access flag and dirty state, or may. */
#define ARM_64_MARKS \
	.leaf_a = ARM_64_AF, \
	.leaf_pending = ARM_64_PENDING, \
	.leaf_hw = arm_64_leaf_hw, \
	.leaf_dirty = ARM_64_NAME(leaf_dirty), \
	.leaf_accessed = ARM_64_NAME(leaf_accessed), \
	.leaf_clean = ARM_64_NAME(leaf_clean), \
	.leaf_dirtied = ARM_64_NAME(leaf_dirtied), \
	.table_accessed = ARM_64_NAME(table_accessed)
#endif
/* clang-format on */

#endif
