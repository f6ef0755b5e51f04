/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The sorted array of leaves that the engine is compared with: see model.h. */
#include <string.h>

#include "tests/model/model.h"

unsigned leaves_from(const struct leaves *leaves, uint64_t iova)
{
	unsigned low = 0, high = leaves->nr;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (leaves->at[middle].last < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct leaf *leaves_at(struct leaves *leaves, uint64_t iova)
{
	unsigned i = leaves_from(leaves, iova);

	return i < leaves->nr && leaves->at[i].first <= iova ? &leaves->at[i] : NULL;
}

unsigned leaves_in(const struct leaves *leaves, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(leaves, first), nr = 0;

	while (i + nr < leaves->nr && leaves->at[i + nr].first <= last)
		nr++;
	return nr;
}

bool leaves_cut(const struct leaves *leaves, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(leaves, first), nr = leaves_in(leaves, first, last);

	return nr && (leaves->at[i].first < first || leaves->at[i + nr - 1].last > last);
}

bool leaves_full(const struct leaves *leaves, uint64_t first, uint64_t last)
{
	for (unsigned i = leaves_from(leaves, first); i < leaves->nr; i++) {
		if (leaves->at[i].first > first)
			return false;
		if (leaves->at[i].last >= last)
			return true;
		first = leaves->at[i].last + 1;
	}
	return false;
}

uint64_t leaves_bytes(const struct leaves *leaves, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(leaves, first), nr = leaves_in(leaves, first, last);
	uint64_t bytes = 0;

	for (; nr; nr--, i++)
		bytes += leaves->at[i].last - leaves->at[i].first + 1;
	return bytes;
}

void leaves_insert(struct leaves *leaves, const struct leaf *plan, unsigned nr)
{
	unsigned i = leaves_from(leaves, plan->first);

	memmove(&leaves->at[i + nr], &leaves->at[i], (leaves->nr - i) * sizeof(*plan));
	memcpy(&leaves->at[i], plan, nr * sizeof(*plan));
	leaves->nr += nr;
}

void leaves_remove(struct leaves *leaves, uint64_t first, uint64_t last)
{
	unsigned i = leaves_from(leaves, first), nr = leaves_in(leaves, first, last);

	memmove(&leaves->at[i], &leaves->at[i + nr], (leaves->nr - i - nr) * sizeof(leaves->at[0]));
	leaves->nr -= nr;
}

static unsigned largest_fit(uint64_t sizes, uint64_t first, uint64_t last, uint64_t pa)
{
	for (unsigned lg2 = 63; lg2; lg2--) {
		uint64_t mask = (1ull << lg2) - 1;

		if ((sizes >> lg2 & 1) && !((first | pa) & mask) && last - first >= mask)
			return lg2;
	}
	return 0;
}

unsigned leaves_plan(uint64_t sizes, uint64_t first, uint64_t last, uint64_t pa, unsigned prot,
		     struct leaf *plan, unsigned max)
{
	for (unsigned nr = 0; nr < max; nr++) {
		struct leaf *leaf = &plan[nr];

		leaf->lg2 = (uint8_t)largest_fit(sizes, first, last, pa);
		leaf->first = first;
		leaf->last = first + ((1ull << leaf->lg2) - 1);
		leaf->pa = pa;
		leaf->prot = (uint8_t)prot;
		leaf->dirty = false;
		leaf->accessed = false;
		if (leaf->last == last)
			return nr + 1;
		first = leaf->last + 1;
		pa += 1ull << leaf->lg2;
	}
	return max + 1;
}
