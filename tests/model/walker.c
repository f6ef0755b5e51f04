/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Domains with IOPT_NONCOHERENT: after each operation memory, as it was written back, must say what
 * the model does. Looked at by a walk of the soft-iommu, without any caches: see model.h.
 */
#include "tests/model/model.h"

#define LEAVES_LOOKED_AT 48u

void walker_create(struct model *m)
{
	const struct soft_iommu_config unit = {
		.va = iopt_posix_va,
		.image = iopt_posix_image_va,
		.state = iopt_posix_table_state,
		.poison = IOPT_POSIX_POISON,
	};
	struct soft_iommu_domain_config config = {
		.format = m->config->format,
		.flags = SOFT_IOMMU_NO_SNOOP,
	};

	m->unit = NULL;
	m->walker = NULL;
	if (!(m->config->flags & IOPT_NONCOHERENT))
		return;
	if (m->config->flags & IOPT_SIGN_EXTEND)
		config.flags |= SOFT_IOMMU_SIGN_EXTEND;
	iopt_hw(m->domain, &config.hw);
	CHECK(m,
	      !soft_iommu_create(&unit, &m->unit) &&
		      !soft_iommu_domain_create(m->unit, &config, &m->walker),
	      "there is no such walker");
}

void walker_destroy(struct model *m)
{
	soft_iommu_domain_destroy(m->walker);
	soft_iommu_destroy(m->unit);
}

void walker_top_changed(struct model *m)
{
	struct iopt_hw hw;

	if (!m->walker)
		return;
	iopt_hw(m->domain, &hw);
	CHECK(m, !soft_iommu_set_root(m->walker, &hw), "the hardware refuses the top");
}

static void check_byte(struct model *m, uint64_t iova)
{
	const struct leaf *leaf = leaves_at(&m->leaves, iova);
	struct soft_iommu_translation t = { 0 };
	enum soft_iommu_reason reason = soft_iommu_walk(m->walker, iova, &t);

	CHECK(m, !(SOFT_IOMMU_BIT(reason) & SOFT_IOMMU_BREACHES), "memory at 0x%jx: %s",
	      (uintmax_t)iova, soft_iommu_reason_name(reason));
	if (!leaf) {
		CHECK(m, reason, "memory has 0x%jx at 0x%jx, where nothing is mapped",
		      (uintmax_t)t.pa, (uintmax_t)iova);
		return;
	}
	CHECK(m, !reason, "memory at 0x%jx, which is mapped: %s", (uintmax_t)iova,
	      soft_iommu_reason_name(reason));
	CHECK(m,
	      t.pa == leaf->pa + (iova - leaf->first) && t.leaf_lg2 == leaf->lg2 &&
		      t.prot == leaf->prot,
	      "memory has 0x%jx, 2^%u, prot 0x%x at 0x%jx; expected 0x%jx, 2^%u, 0x%x",
	      (uintmax_t)t.pa, t.leaf_lg2, t.prot, (uintmax_t)iova,
	      (uintmax_t)(leaf->pa + (iova - leaf->first)), leaf->lg2, leaf->prot);
}

/* Both ends of it, and what lies beside them. */
static void check_around(struct model *m, uint64_t first, uint64_t last)
{
	check_byte(m, first);
	check_byte(m, last);
	check_byte(m, first + (last - first) / 2);
	if (first)
		check_byte(m, first - 1);
	if (last != ~0ull)
		check_byte(m, last + 1);
}

/* The first and the last leaves of the range, if there are many. */
void walker_check(struct model *m, uint64_t first, uint64_t last)
{
	unsigned from, nr;

	if (!m->walker || first > last)
		return;
	check_around(m, first, last);
	from = leaves_from(&m->leaves, first);
	nr = leaves_in(&m->leaves, first, last);
	for (unsigned i = 0; i < nr; i++) {
		const struct leaf *leaf = &m->leaves.at[from + i];

		if (i < LEAVES_LOOKED_AT || i + LEAVES_LOOKED_AT >= nr)
			check_around(m, leaf->first, leaf->last);
	}
}
