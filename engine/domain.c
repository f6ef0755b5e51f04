/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Domains: creating and destroying them, and the public entry points, each one indirect call away
 * from its format's instance. Nothing here knows an entry's bits.
 */
#include "engine/domain.h"
#include "engine/format.h"
#include "engine/gather.h"
#include "engine/table.h"

#define IOPT_FORMAT(name) extern const struct iopt_ops iopt_ops_##name;
#include "formats/list.h"
#undef IOPT_FORMAT

static const struct iopt_ops *const all_ops[] = {
#define IOPT_FORMAT(name) &iopt_ops_##name,
#include "formats/list.h"
#undef IOPT_FORMAT
};

#define NR_FORMATS (sizeof(all_ops) / sizeof(all_ops[0]))
#define CONFIG_FLAGS                                                                             \
	(IOPT_TRACKABLE | IOPT_NONCOHERENT | IOPT_CACHES_EMPTY | IOPT_SIGN_EXTEND | IOPT_TRACK | \
	 IOPT_SPLIT | IOPT_ACCESSED_TABLES | IOPT_UPPER)

const struct iopt_format_info *iopt_format_info(size_t index)
{
	return index < NR_FORMATS ? &all_ops[index]->format->info : NULL;
}

/* Freestanding code has no strcmp(). */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

static const struct iopt_ops *ops_find(const char *name)
{
	for (size_t i = 0; name && i < NR_FORMATS; i++)
		if (same_name(all_ops[i]->format->info.name, name))
			return all_ops[i];
	return NULL;
}

const struct iopt_format_info *iopt_format_find(const char *name)
{
	const struct iopt_ops *ops = ops_find(name);

	return ops ? &ops->format->info : NULL;
}

static uint64_t bits_mask(unsigned bits)
{
	return bits < 64 ? (1ull << bits) - 1 : ~0ull;
}

/* IOVA bits that a number of levels translates, without those that only the top has. */
static unsigned levels_lg2(const struct iopt_format_info *info, unsigned levels)
{
	unsigned lg2 = info->granule_lg2 + levels * info->index_lg2;

	return lg2 < 64 ? lg2 : 64;
}

/* IOVA bits that a number of levels translates at most. */
static unsigned width_lg2(const struct iopt_format_info *info, unsigned levels)
{
	unsigned lg2 = levels_lg2(info, levels) + info->top_lg2;
	unsigned most = info->iova_lg2 ? info->iova_lg2 : 64;

	return lg2 < most ? lg2 : most;
}

/* Leaves of one entry each: the sizes of a format that are no runs. */
static uint64_t single_sizes(const struct iopt_format_info *info)
{
	uint64_t sizes = 0;

	for (unsigned level = 0; level < info->max_levels && levels_lg2(info, level) < 64; level++)
		sizes |= 1ull << levels_lg2(info, level);
	return sizes & info->page_sizes;
}

/**
 * struct geometry - what a configuration comes to, defaults filled in
 * @top_index_lg2: index bits of the top
 */
struct geometry {
	unsigned levels;
	unsigned max_levels;
	unsigned iova_lg2;
	unsigned pa_lg2;
	unsigned top_index_lg2;
	uint64_t page_sizes;
};

static int geometry_levels(const struct iopt_config *config, const struct iopt_format_info *info,
			   struct geometry *g)
{
	bool grows = info->abilities & IOPT_CAN_GROW;

	g->levels = config->levels ? config->levels : info->default_levels;
	g->max_levels = config->max_levels ? config->max_levels
			: grows		   ? info->max_levels
					   : g->levels;
	if (!config->max_levels && grows && config->iova_lg2) {
		g->max_levels = g->levels;
		while (g->max_levels < info->max_levels &&
		       width_lg2(info, g->max_levels) < config->iova_lg2)
			g->max_levels++;
	}
	if (g->levels < info->min_levels || g->max_levels > info->max_levels ||
	    g->levels > g->max_levels || (!grows && g->levels != g->max_levels))
		return -IOPT_EINVAL;
	return 0;
}

/* Sizes that may be used, if the configuration names none. */
static uint64_t default_sizes(const struct iopt_config *config, const struct iopt_format_info *info)
{
	return (info->abilities & IOPT_CAN_BBM) && config->bbm < 2 ? single_sizes(info)
								   : info->page_sizes;
}

static int geometry_widths(const struct iopt_config *config, const struct iopt_format_info *info,
			   struct geometry *g)
{
	unsigned most = width_lg2(info, g->max_levels);
	/* A leaf is an entry of the top at most, or a run of less than all of another table. */
	uint64_t below = bits_mask(levels_lg2(info, g->max_levels));
	uint64_t sizes = info->page_sizes & below;

	g->iova_lg2 = config->iova_lg2 ? config->iova_lg2 : most;
	g->pa_lg2 = config->pa_lg2 ? config->pa_lg2 : info->pa_lg2;
	if (g->pa_lg2 < info->pa_lg2)
		sizes &= ~info->wide_sizes;
	g->page_sizes = config->page_sizes ? config->page_sizes
					   : default_sizes(config, info) & sizes;
	if (g->iova_lg2 > most || g->iova_lg2 <= info->granule_lg2 || g->pa_lg2 > info->pa_lg2 ||
	    g->pa_lg2 <= info->granule_lg2)
		return -IOPT_EINVAL;
	if ((g->page_sizes & ~sizes) || !(g->page_sizes >> info->granule_lg2 & 1))
		return -IOPT_EINVAL;
	/* A leaf can't be larger than what either address can name. */
	g->page_sizes &= bits_mask(g->pa_lg2) & bits_mask(g->iova_lg2);
	return 0;
}

/* How many index bits the top has, and whether hardware has such a geometry. */
static int geometry_top(const struct iopt_format *format, struct geometry *g)
{
	const struct iopt_geometry geometry = {
		.levels = (uint8_t)g->levels,
		.iova_lg2 = (uint8_t)g->iova_lg2,
		.pa_lg2 = (uint8_t)g->pa_lg2,
	};
	unsigned below = levels_lg2(&format->info, g->levels - 1);

	g->top_index_lg2 = format->info.index_lg2 + format->info.top_lg2;
	if (format->top_exact) {
		if (g->iova_lg2 <= below)
			return -IOPT_EINVAL;
		g->top_index_lg2 = g->iova_lg2 - below;
	}
	return !format->fits || format->fits(&geometry) ? 0 : -IOPT_EINVAL;
}

static int check_flags(const struct iopt_config *config, const struct iopt_format_info *info)
{
	bool track = config->flags & (IOPT_TRACKABLE | IOPT_TRACK);

	if (config->flags & ~CONFIG_FLAGS)
		return -IOPT_EINVAL;
	if ((track && !(info->abilities & IOPT_CAN_TRACK_DIRTY)) ||
	    ((config->flags & IOPT_SIGN_EXTEND) && !(info->abilities & IOPT_CAN_SIGN_EXTEND)) ||
	    ((config->flags & IOPT_ACCESSED_TABLES) &&
	     !(info->abilities & IOPT_CAN_ACCESSED_TABLES)) ||
	    ((config->flags & IOPT_UPPER) && !(info->abilities & IOPT_CAN_UPPER)))
		return -IOPT_EOPNOTSUPP;
	if (config->bbm > (info->abilities & IOPT_CAN_BBM ? 2 : 0) ||
	    ((config->flags & IOPT_UPPER) && (config->flags & IOPT_SIGN_EXTEND)))
		return -IOPT_EINVAL;
	if ((config->flags & IOPT_ACCESSED_TABLES) && !track)
		return -IOPT_EINVAL;
	/* Hardware sets dirty bits in memory while the engine's are in a cache: never both. */
	if (track && (config->flags & IOPT_NONCOHERENT))
		return -IOPT_EINVAL;
	if (!config->callbacks.invalidate ||
	    ((info->abilities & IOPT_CAN_GROW) && !config->callbacks.top_changed))
		return -IOPT_EINVAL;
	return 0;
}

/* Which IOVAs the tables translate. */
static void domain_init_halves(struct iopt_domain *domain, uint32_t flags, unsigned iova_lg2)
{
	domain->index_mask = bits_mask(iova_lg2);
	domain->low_last = domain->index_mask;
	domain->high_after = ~0ull;
	if (flags & IOPT_SIGN_EXTEND) {
		domain->low_last = bits_mask(iova_lg2 - 1);
		domain->high_after = ~domain->low_last - 1;
	}
	if (flags & IOPT_UPPER) {
		domain->low_last = 0;
		domain->high_after = ~domain->index_mask - 1;
	}
	domain->low_half = domain->low_last ? (domain->low_last >> 1) + 1 : 0;
}

static void domain_init(struct iopt_domain *domain, const struct iopt_config *config,
			const struct iopt_ops *ops, const struct geometry *g)
{
	domain->ops = config->flags & IOPT_NONCOHERENT ? ops->unsnooped : ops;
	domain_init_halves(domain, config->flags, g->iova_lg2);
	domain->pa_last = bits_mask(g->pa_lg2);
	domain->page_sizes = g->page_sizes;
	domain->map_sizes = g->page_sizes;
	domain->flags = config->flags;
	if (config->flags & IOPT_TRACK)
		domain->flags |= IOPT_TRACKABLE;
	domain->tracking = config->flags & IOPT_TRACK;
	domain->short_map = !CHECKED && !(config->flags & IOPT_CACHES_EMPTY);
	domain->short_unmap = !(config->flags & IOPT_TRACK);
	domain->max_levels = (uint8_t)g->max_levels;
	domain->iova_lg2 = (uint8_t)g->iova_lg2;
	domain->pa_lg2 = (uint8_t)g->pa_lg2;
	domain->resizes = (ops->format->info.abilities & IOPT_CAN_RESIZE) &&
			  (!(ops->format->info.abilities & IOPT_CAN_BBM) || config->bbm == 2);
	domain->callbacks = config->callbacks;
	domain->ctx = config->ctx;
	domain->memory = config->memory;
}

static int config_check(const struct iopt_config *config, const struct iopt_format *format,
			struct geometry *g)
{
	int error = geometry_levels(config, &format->info, g);

	if (!error)
		error = geometry_widths(config, &format->info, g);
	if (!error)
		error = geometry_top(format, g);
	return error ? error : check_flags(config, &format->info);
}

/* Bytes of the top table, lg2: never less than another's, which aligns a small one, too. */
static unsigned root_lg2(const struct iopt_format_info *info, unsigned index_lg2)
{
	return (index_lg2 > info->index_lg2 ? index_lg2 : info->index_lg2) + info->entry_lg2;
}

int iopt_create(const struct iopt_config *config, struct iopt_domain **result)
{
	const struct iopt_ops *ops = ops_find(config->format);
	struct iopt_domain *domain;
	struct iopt_table *root;
	struct geometry g;
	int error;

	if (!ops)
		return -IOPT_ENOENT;
	error = config_check(config, ops->format, &g);
	if (error)
		return error;

	domain = iopt_host_alloc(sizeof(*domain));
	if (!domain)
		return -IOPT_ENOMEM;
	domain_init(domain, config, ops, &g);
	root = table_alloc(domain, &ops->format->info,
			   root_lg2(&ops->format->info, g.top_index_lg2), 0);
	if (!root) {
		iopt_host_free(domain);
		return -IOPT_ENOMEM;
	}
	root->level = (uint8_t)(g.levels - 1);
	domain->newest = top_make(iopt_host_table_pa(root), g.levels);
	if (has_own_top(ops->format))
		domain->newest = top_with_index(domain->newest, g.top_index_lg2);
	domain->top = domain->newest;
	count_linked(domain, root->level, 1);
	if (domain->flags & IOPT_NONCOHERENT)
		iopt_host_writeback(iopt_host_va(top_pa(domain->top)), 1ul << root->size_lg2);
	iopt_host_publish();
	sweeps_init(&domain->sweeps);
	*result = domain;
	return 0;
}

void iopt_destroy(struct iopt_domain *domain)
{
	if (!domain)
		return;
	domain->ops->free_tables(domain);
	sweeps_fini(&domain->sweeps);
	iopt_host_free(domain);
}

void iopt_hw(const struct iopt_domain *domain, struct iopt_hw *hw)
{
	uint64_t newest = __atomic_load_n(&domain->newest, __ATOMIC_ACQUIRE);
	const struct iopt_geometry geometry = {
		.levels = (uint8_t)top_levels(newest),
		.iova_lg2 = domain->iova_lg2,
		.pa_lg2 = domain->pa_lg2,
	};

	/* Another thread may have raised it: its table is in memory before the device is told. */
	iopt_host_publish();
	hw->root = top_pa(newest);
	hw->levels = geometry.levels;
	domain->ops->format->hw(hw->root, &geometry, domain->flags, hw);
}

int iopt_map(struct iopt_domain *domain, uint64_t first, uint64_t last, uint64_t pa, unsigned prot,
	     struct iopt_reserve *reserve)
{
	iopt_host_enter();
	return domain->ops->map(domain, first, last, pa, prot, reserve);
}

int iopt_map_sg(struct iopt_domain *domain, uint64_t first, const struct iopt_segment *segments,
		size_t nr, unsigned prot, struct iopt_reserve *reserve, uint64_t *last)
{
	iopt_host_enter();
	return domain->ops->map_sg(domain, first, segments, nr, prot, reserve, last);
}

int iopt_unmap(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
	       struct iopt_gather *gather, struct iopt_released *released)
{
	iopt_host_enter();
	return domain->ops->unmap(domain, first, last, flags, gather, released);
}

int iopt_translate(struct iopt_domain *domain, uint64_t iova, struct iopt_translation *result)
{
	iopt_host_enter();
	return domain->ops->translate(domain, iova, result);
}

void iopt_visit_init(struct iopt_visit *visit, uint64_t first, uint64_t last, unsigned flags)
{
	visit->first = first;
	visit->last = last;
	visit->flags = flags;
	visit->below = IOPT_MAX_LEVELS;
	visit->done = first > last;
}

size_t iopt_visit(struct iopt_domain *domain, struct iopt_visit *visit, struct iopt_item *items,
		  size_t nr)
{
	iopt_host_enter();
	return domain->ops->visit(domain, visit, items, nr);
}

int iopt_sweep(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned flags,
	       const struct iopt_sink *sink, struct iopt_gather *gather, uint64_t budget,
	       uint64_t *next)
{
	iopt_host_enter();
	return domain->ops->sweep(domain, first, last, flags, sink, gather, budget, next);
}

int iopt_protect(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned prot,
		 struct iopt_gather *gather)
{
	iopt_host_enter();
	return domain->ops->protect(domain, first, last, prot, gather);
}

int iopt_split(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
	       unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	iopt_host_enter();
	return domain->ops->split(domain, first, last, leaf_lg2, flags, gather, budget, next);
}

int iopt_merge(struct iopt_domain *domain, uint64_t first, uint64_t last, unsigned leaf_lg2,
	       unsigned flags, struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	iopt_host_enter();
	return domain->ops->merge(domain, first, last, leaf_lg2, flags, gather, budget, next);
}

int iopt_trim(struct iopt_domain *domain, uint64_t first, uint64_t last, struct iopt_gather *gather,
	      uint64_t budget, uint64_t *next)
{
	iopt_host_enter();
	return domain->ops->trim(domain, first, last, gather, budget, next);
}

/* A sink that forgets: for dirty bits from before tracking. */
static int forget(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	(void)first;
	(void)last;
	return 0;
}

static void track_forget(struct iopt_domain *domain)
{
	const struct iopt_sink sink = { .record = forget };
	struct iopt_gather gather;

	iopt_gather_init(&gather, domain, NULL);
	if (domain->low_last)
		domain->ops->sweep(domain, 0, domain->low_last, IOPT_SWEEP_CLEAR, &sink, &gather, 0,
				   NULL);
	if (domain->high_after != ~0ull)
		domain->ops->sweep(domain, domain->high_after + 1, ~0ull, IOPT_SWEEP_CLEAR, &sink,
				   &gather, 0, NULL);
	/* What was cached while nobody tracked may be marked dirty or not: all of it goes. */
	gather.owes |= IOPT_OWES_LEAVES | IOPT_OWES_TABLES | IOPT_OWES_DIRTY |
		       IOPT_OWES_DEVICE_TLB | IOPT_OWES_ALL;
	iopt_sync(&gather);
}

int iopt_track(struct iopt_domain *domain, bool on)
{
	bool was = domain_tracks(domain);

	if (!(domain->flags & IOPT_TRACKABLE))
		return -IOPT_EOPNOTSUPP;
	iopt_host_enter();
	__atomic_store_n(&domain->tracking, on, __ATOMIC_SEQ_CST);
	__atomic_store_n(&domain->short_unmap, !on, __ATOMIC_SEQ_CST);
	if (!on)
		__atomic_store_n(&domain->map_sizes, domain->page_sizes, __ATOMIC_RELAXED);
	if (on && !was) {
		/* An unmap that saw it off, in its read section, has cleared its leaves then. */
		iopt_host_synchronize();
		track_forget(domain);
	}
	return 0;
}

/*
 * From *next on, in one half after the other. Returns 0 when all of both is done, else as split().
 */
static int track_split(struct iopt_domain *domain, unsigned leaf_lg2, unsigned flags,
		       struct iopt_gather *gather, uint64_t budget, uint64_t *next)
{
	int result = 0;

	if (domain->low_last && *next <= domain->low_last)
		result = domain->ops->split(domain, *next, domain->low_last, leaf_lg2, flags,
					    gather, budget, next);
	if (result || domain->high_after == ~0ull)
		return result;
	if (*next <= domain->high_after)
		*next = domain->high_after + 1;
	return domain->ops->split(domain, *next, ~0ull, leaf_lg2, flags, gather, budget, next);
}

int iopt_track_split(struct iopt_domain *domain, unsigned leaf_lg2, unsigned flags, uint64_t budget,
		     uint64_t *next)
{
	bool claims = domain->callbacks.try_claim && domain->callbacks.release;
	struct iopt_gather gather;
	int result;

	if (!(domain->flags & IOPT_TRACKABLE) || !domain->resizes)
		return -IOPT_EOPNOTSUPP;
	/* All that split() would refuse: nothing may have changed then. */
	if (leaf_lg2 > 63 || !(domain->page_sizes >> leaf_lg2 & 1) || (flags & ~IOPT_CLAIM) ||
	    ((flags & IOPT_CLAIM) && !claims))
		return -IOPT_EINVAL;
	iopt_host_enter();
	iopt_gather_init(&gather, domain, NULL);
	__atomic_store_n(&domain->map_sizes, domain->page_sizes & bits_mask(leaf_lg2 + 1),
			 __ATOMIC_RELAXED);
	result = track_split(domain, leaf_lg2, flags, &gather, budget, next);
	iopt_sync(&gather);
	return result ? result : iopt_track(domain, true);
}

/* Tables that a range needs at most, whatever is there now, growth of the top included. */
static uint64_t tables_worst(const struct iopt_domain *domain, uint64_t first, uint64_t last)
{
	const struct iopt_format_info *info = &domain->ops->format->info;
	uint64_t low = first & domain->index_mask, high = last & domain->index_mask;
	uint64_t tables = 0;

	for (unsigned level = 0; level + 1 < domain->max_levels; level++) {
		unsigned span_lg2 = levels_lg2(info, level + 1);

		tables += (high >> span_lg2) - (low >> span_lg2) + 1;
	}
	if (info->abilities & IOPT_CAN_GROW)
		tables += domain->max_levels - 1;
	return tables;
}

int iopt_reserve(struct iopt_domain *domain, uint64_t first, uint64_t last,
		 struct iopt_reserve *reserve)
{
	const struct iopt_format_info *info = &domain->ops->format->info;
	struct iopt_table *list = NULL;
	uint64_t tables;

	if (((first | ~last) & bits_mask(info->granule_lg2)) || first > last)
		return -IOPT_EINVAL;
	if (!domain_has(domain, first, last))
		return -IOPT_ERANGE;

	tables = tables_worst(domain, first, last);
	for (uint64_t i = 0; i < tables; i++) {
		struct iopt_table *table =
			table_alloc(domain, info, info->index_lg2 + info->entry_lg2, reserve->how);

		if (!table) {
			iopt_host_table_free(list);
			return -IOPT_ENOMEM;
		}
		table_push(&list, table);
	}
	while (list)
		table_push(&reserve->tables, table_pop(&list));
	reserve->nr_tables += tables;
	return 0;
}

void iopt_reserve_release(struct iopt_reserve *reserve)
{
	iopt_host_table_free(reserve->tables);
	reserve->tables = NULL;
	reserve->nr_tables = 0;
}

void iopt_stats(const struct iopt_domain *domain, struct iopt_stats *stats)
{
	const struct iopt_format_info *info = &domain->ops->format->info;
	const struct table_counts *counts = &domain->counts;
	unsigned table_lg2 = info->index_lg2 + info->entry_lg2;
	/* The top of a domain that does not grow is there all the time, and may be larger. */
	uint64_t beyond = has_own_top(domain->ops->format)
				  ? (1ull << root_lg2(info, top_index_lg2(domain->newest))) -
					    (1ull << table_lg2)
				  : 0;

	stats->tables = 0;
	for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++) {
		stats->live[level] = count_live(counts, level);
		stats->tables += stats->live[level];
	}
	for (unsigned why = 0; why < IOPT_NR_FREED; why++) {
		stats->freed[why] = 0;
		for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++)
			stats->freed[why] +=
				__atomic_load_n(&counts->unlinked[why][level], __ATOMIC_RELAXED);
	}
	stats->freed[IOPT_FREED_RACE] += __atomic_load_n(&counts->raced, __ATOMIC_RELAXED);
	stats->tables_peak = __atomic_load_n(&counts->peak, __ATOMIC_RELAXED);
	stats->table_bytes = (stats->tables << table_lg2) + beyond;
	stats->table_bytes_peak = (stats->tables_peak << table_lg2) + beyond;
	stats->grown = __atomic_load_n(&counts->grown, __ATOMIC_RELAXED);
	stats->split = __atomic_load_n(&counts->split, __ATOMIC_RELAXED);
	stats->merged = __atomic_load_n(&counts->merged, __ATOMIC_RELAXED);
}
