/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-test.ko: the engine's tests that want a kernel below them. Loading runs them all; results
 * are KTAP in the log (Documentation/dev-tools/ktap.rst). With live=SECONDS one storm runs for so
 * long in the background, with its domain shown in debugfs; unloading ends it and reports.
 *
 * For every format
 *   model   random map, unmap, protect, split, merge and trim on a domain and on an array beside it
 *   fault   each allocation of a map and of a creation fails in turn
 *   atomic  the same where nobody may sleep, by iopt_linux_map() and by a reserve: under a spinlock
 *           with interrupts disabled. No allocation may be one that sleeps
 *   place   tables lie on the node that was asked for, and no higher than their format can tell
 *   storm   two mappers, bound to two processors, whose leaves share tables, a visitor, a sweeper
 *           and a trimmer, all at once. Every leaf's physical address follows from its IOVA, so
 *           that one read from a freed and poisoned table (page_poison=1) shows.
 *   device  devices that cache all they may, beside a mapper and a trimmer: device.c
 * Each ends with the comparison of the memory that tables take with what it was before.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>

#include "hosts/linux/linux.h"
#include "kmod/test.h"

static unsigned int ops = 4000;
module_param(ops, uint, 0444);
MODULE_PARM_DESC(ops, "operations of the model test, for each format");
static unsigned int storm_ms = 300;
module_param(storm_ms, uint, 0444);
MODULE_PARM_DESC(storm_ms, "milliseconds of the storm, for each format");
static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of all chance");
static char *only = "";
module_param(only, charp, 0444);
MODULE_PARM_DESC(only, "run the tests of this name alone");
static unsigned int live;
module_param(live, uint, 0444);
MODULE_PARM_DESC(live,
		 "seconds of a storm in the background, in debugfs as iopt/storm; 0: the tests");

#define SLOTS  1024u
#define OFFSET BASE /* from an IOVA to its physical address */

/* ---- a domain ------------------------------------------------------------------------------ */

/* Nothing walks these tables: what is owed is paid by returning. */
static void invalidate(void *ctx, const struct iopt_gather *gather)
{
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
}

/**
 * struct subject - a format and a domain of it
 * @granule: bytes of the smallest leaf
 * @resizes: leaves may change their size
 */
struct subject {
	const struct iopt_format_info *info;
	struct iopt_domain *domain;
	struct rnd_state chance;
	u64 granule;
	bool resizes;
	bool tracks;
	bool trims;
};

static int subject_create_at(struct subject *subject, const struct iopt_format_info *info,
			     u32 flags, int nid)
{
	struct iopt_config config = {
		.format = info->name,
		.flags = flags,
		.bbm = info->abilities & IOPT_CAN_BBM ? 2 : 0,
		.callbacks = { .invalidate = invalidate, .top_changed = top_changed },
		.memory = iopt_linux_node(nid),
	};

	subject->info = info;
	subject->granule = 1ull << info->granule_lg2;
	subject->resizes = info->abilities & IOPT_CAN_RESIZE;
	subject->tracks = info->abilities & IOPT_CAN_TRACK_DIRTY;
	subject->trims = info->abilities & IOPT_CAN_TRIM;
	prandom_seed_state(&subject->chance, seed);
	if (subject->tracks)
		config.flags |= IOPT_TRACKABLE;
	return iopt_create(&config, &subject->domain);
}

static int subject_create(struct subject *subject, const struct iopt_format_info *info, u32 flags)
{
	return subject_create_at(subject, info, flags, NUMA_NO_NODE);
}

/* What tables take, once RCU has ended. */
static long memory_pages(void)
{
	rcu_barrier();
	return iopt_linux_pages();
}

static bool memory_back(long before)
{
	long pages = memory_pages();

	if (pages != before)
		pr_info("# %ld pages of tables instead of %ld\n", pages, before);
	return pages == before;
}

/* ---- model --------------------------------------------------------------------------------- */

/**
 * struct model - what must be mapped: a page a slot from BASE on
 * @pa:   where it leads; 0: nowhere
 * @prot: its permissions
 */
struct model {
	u64 pa[SLOTS];
	u8 prot[SLOTS];
};

/* A range of slots, and often one whose ends are a table's. */
static void pick(struct subject *s, u32 *from, u32 *nr)
{
	*from = below(&s->chance, SLOTS);
	*nr = 1 + below(&s->chance, below(&s->chance, 4) ? 16 : SLOTS);
	if (!below(&s->chance, 3)) {
		*from &= ~255u;
		*nr = 256u << below(&s->chance, 3);
	}
	*nr = min(*nr, SLOTS - *from);
}

static bool slots_any(const struct model *model, u32 from, u32 nr)
{
	for (u32 i = from; i < from + nr; i++)
		if (model->pa[i])
			return true;
	return false;
}

static u8 pick_prot(struct subject *s)
{
	if (s->info->abilities & IOPT_ALWAYS_RW || below(&s->chance, 2))
		return RW;
	return IOPT_READ;
}

static bool model_map(struct subject *s, struct model *model, u64 first, u64 last, u32 from, u32 nr)
{
	u8 prot = pick_prot(s);
	u64 pa = first + OFFSET;
	int expect = slots_any(model, from, nr) ? -EEXIST : 0, got;

	if (below(&s->chance, 4) == 0)
		pa += s->granule * below(&s->chance, SLOTS);
	got = iopt_map(s->domain, first, last, pa, prot, NULL);
	for (u32 i = 0; !got && i < nr; i++) {
		model->pa[from + i] = pa + i * s->granule;
		model->prot[from + i] = prot;
	}
	if (got != expect)
		pr_info("# map %#llx..%#llx: %d, not %d\n", first, last, got, expect);
	return got == expect;
}

/* A range that cuts a leaf is refused where leaves can't be split: both sides stay as they are. */
static bool model_unmap(struct subject *s, struct model *model, u64 first, u64 last, u32 from,
			u32 nr)
{
	struct iopt_gather gather;
	int got;

	iopt_gather_init(&gather, s->domain, NULL);
	got = iopt_unmap(s->domain, first, last, 0, &gather, NULL);
	iopt_sync(&gather);
	if (!got)
		memset(&model->pa[from], 0, nr * sizeof(model->pa[0]));
	return !got || got == -EOPNOTSUPP;
}

static bool model_protect(struct subject *s, struct model *model, u64 first, u64 last, u32 from,
			  u32 nr)
{
	u8 prot = pick_prot(s);
	struct iopt_gather gather;
	int got;

	iopt_gather_init(&gather, s->domain, NULL);
	got = iopt_protect(s->domain, first, last, prot, &gather);
	iopt_sync(&gather);
	for (u32 i = 0; !got && i < nr; i++)
		model->prot[from + i] = prot;
	return !got || got == -EOPNOTSUPP;
}

/* What changes tables, not translations. */
static bool model_reshape(struct subject *s, u64 first, u64 last, u32 which)
{
	struct iopt_gather gather;
	int got = 0;

	iopt_gather_init(&gather, s->domain, NULL);
	if (which == 0 && s->resizes)
		got = iopt_split(s->domain, first, last, s->info->granule_lg2, 0, &gather, 0, NULL);
	else if (which == 1 && s->resizes)
		got = iopt_merge(s->domain, first, last, ~0u, 0, &gather, 0, NULL);
	else if (which == 2 && s->trims)
		got = iopt_trim(s->domain, first, last, &gather, 0, NULL);
	iopt_sync(&gather);
	if (got)
		pr_info("# reshape %u of %#llx..%#llx: %d\n", which, first, last, got);
	return !got;
}

static bool model_same(struct subject *s, const struct model *model)
{
	struct iopt_translation t;

	for (u32 i = 0; i < SLOTS; i++) {
		u64 iova = BASE + i * s->granule + 5;
		int got = iopt_translate(s->domain, iova, &t);

		if (model->pa[i] ? got || t.pa != model->pa[i] + 5 || t.prot != model->prot[i]
				 : got != -ENOENT) {
			pr_info("# %#llx: %d, %#llx %x, not %#llx %x\n", iova, got, t.pa, t.prot,
				model->pa[i], model->prot[i]);
			return false;
		}
	}
	return true;
}

static bool model_step(struct subject *s, struct model *model)
{
	u32 from, nr;
	u64 first, last;

	pick(s, &from, &nr);
	first = BASE + from * s->granule;
	last = first + nr * s->granule - 1;
	switch (below(&s->chance, 10)) {
	case 0 ... 3: return model_map(s, model, first, last, from, nr);
	case 4 ... 6: return model_unmap(s, model, first, last, from, nr);
	case 7: return model_protect(s, model, first, last, from, nr);
	default: return model_reshape(s, first, last, below(&s->chance, 3));
	}
}

static bool test_model(const struct iopt_format_info *info)
{
	u32 split = info->abilities & IOPT_CAN_RESIZE ? IOPT_SPLIT : 0;
	struct model *model = kvzalloc(sizeof(*model), GFP_KERNEL);
	struct subject s;
	bool good = model && !subject_create(&s, info, split);

	if (!good) {
		kvfree(model);
		return false;
	}
	for (unsigned int i = 0; good && i < ops; i++) {
		good = model_step(&s, model);
		if (good && (i % 16 == 0 || i == ops - 1))
			good = model_same(&s, model);
		cond_resched();
	}
	iopt_destroy(s.domain);
	kvfree(model);
	return good;
}

/* ---- failing allocations ------------------------------------------------------------------- */

/* Whether a map fails at each allocation it makes, changing nothing, and then succeeds. */
static bool fails_in_turn(struct subject *s)
{
	u64 first = BASE, last = BASE + 300 * s->granule - 1;
	struct iopt_translation t;
	int got = -ENOMEM;

	for (unsigned int nth = 1; got == -ENOMEM; nth++) {
		iopt_linux_fail(nth);
		got = iopt_map(s->domain, first, last, first + OFFSET, RW, NULL);
		iopt_linux_fail(0);
		if (got == -ENOMEM && iopt_translate(s->domain, first, &t) != -ENOENT)
			return false;
		if (nth > 100)
			return false;
	}
	return !got && !iopt_translate(s->domain, last, &t) && t.pa == last + OFFSET;
}

static bool test_fault(const struct iopt_format_info *info)
{
	struct subject s;
	int got = -ENOMEM;
	bool good;

	for (unsigned int nth = 1; got == -ENOMEM && nth < 10; nth++) {
		iopt_linux_fail(nth);
		got = subject_create(&s, info, 0);
		iopt_linux_fail(0);
		/* One of the descriptor, one of the root. */
		if ((nth <= 2) != (got == -ENOMEM)) {
			if (!got)
				iopt_destroy(s.domain);
			return false;
		}
	}
	if (got)
		return false;
	good = fails_in_turn(&s);
	iopt_destroy(s.domain);
	return good;
}

/* ---- where nobody may sleep ---------------------------------------------------------------- */

/**
 * struct watch - allocations of pages that a task makes where it may not sleep
 * @task:  the task
 * @made:  how many
 * @slept: of them with flags that let the allocator sleep
 */
static struct watch {
	struct task_struct *task;
	unsigned long made;
	unsigned long slept;
} watch;

/* Of the tracepoint mm_page_alloc (include/trace/events/kmem.h). */
static void watch_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp,
			int migratetype)
{
	if (current != watch.task || !in_task() || preemptible())
		return;
	watch.made++;
	watch.slept += gfpflags_allow_blocking(gfp);
}

static void watch_find(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "mm_page_alloc"))
		*(struct tracepoint **)found = tp;
}

/* The tracepoint; NULL: nothing can be watched. */
static struct tracepoint *watch_start(void)
{
	struct tracepoint *tp = NULL;

	for_each_kernel_tracepoint(watch_find, &tp);
	watch = (struct watch){ .task = current };
	return tp && !tracepoint_probe_register(tp, watch_alloc, NULL) ? tp : NULL;
}

static void watch_end(struct tracepoint *tp)
{
	tracepoint_probe_unregister(tp, watch_alloc, NULL);
	tracepoint_synchronize_unregister();
}

static int unmap_all(struct subject *s, u64 first, u64 last)
{
	struct iopt_gather gather;
	int got;

	iopt_gather_init(&gather, s->domain, NULL);
	got = iopt_unmap(s->domain, first, last, 0, &gather, NULL);
	iopt_sync(&gather);
	return got;
}

static bool leads(struct subject *s, u64 iova)
{
	struct iopt_translation t;

	return !iopt_translate(s->domain, iova, &t) && t.pa == iova + OFFSET;
}

/*
 * Pages that need several tables, with each allocation failing in turn, then at last with none; one
 * more, for which the tables are there, with the next to fail; and all of it away again.
 */
static bool atomic_map(struct subject *s, gfp_t gfp)
{
	u64 bytes = s->granule << s->info->index_lg2, first = BASE + bytes - s->granule;
	u64 last = first + 2 * s->granule - 1, more = BASE + bytes + s->granule;
	struct iopt_translation t;
	unsigned int nth;
	int got = -ENOMEM;

	for (nth = 1; got == -ENOMEM && nth < 100; nth++) {
		iopt_linux_fail(nth);
		got = iopt_linux_map(s->domain, first, last, first + OFFSET, RW, gfp);
		iopt_linux_fail(0);
		if (got == -ENOMEM && (iopt_translate(s->domain, first, &t) != -ENOENT ||
				       iopt_translate(s->domain, last, &t) != -ENOENT))
			return false;
	}
	if (got || nth < 4 || !leads(s, first) || !leads(s, last))
		return false;
	iopt_linux_fail(1);
	got = iopt_linux_map(s->domain, more, more + s->granule - 1, more + OFFSET, RW, gfp);
	iopt_linux_fail(0);
	return !got && leads(s, more) && !unmap_all(s, BASE, BASE + 2 * bytes - 1);
}

/* The same range out of a reserve that is filled here, and from which nothing is missing. */
static bool atomic_reserve(struct subject *s, gfp_t gfp)
{
	u64 bytes = s->granule << s->info->index_lg2, first = BASE + bytes - s->granule;
	u64 last = first + 2 * s->granule - 1;
	struct iopt_reserve reserve = { .how = iopt_linux_how(gfp) };
	int got;

	iopt_linux_fail(2);
	got = iopt_reserve(s->domain, first, last, &reserve);
	iopt_linux_fail(0);
	if (got != -ENOMEM || reserve.nr_tables)
		return false;
	got = iopt_reserve(s->domain, first, last, &reserve);
	iopt_linux_fail(1);
	got = got ?: iopt_map(s->domain, first, last, first + OFFSET, RW, &reserve);
	iopt_linux_fail(0);
	iopt_reserve_release(&reserve);
	return !got && leads(s, first) && leads(s, last) &&
	       !unmap_all(s, BASE, BASE + 2 * bytes - 1);
}

static DEFINE_SPINLOCK(atomic_lock);

static bool test_atomic(const struct iopt_format_info *info)
{
	struct tracepoint *tp;
	unsigned long flags;
	struct subject s;
	bool good;

	if (subject_create(&s, info, 0))
		return false;
	tp = watch_start();
	spin_lock_irqsave(&atomic_lock, flags);
	good = tp && atomic_map(&s, GFP_ATOMIC) && atomic_reserve(&s, GFP_ATOMIC);
	spin_unlock_irqrestore(&atomic_lock, flags);
	preempt_disable();
	good = good && atomic_map(&s, GFP_NOWAIT | __GFP_ACCOUNT);
	preempt_enable();
	if (tp)
		watch_end(tp);
	/* Each of these maps took two tables at least. */
	if (!good || watch.made < 6 || watch.slept)
		pr_info("# %s: %lu allocations, %lu that may sleep\n", info->name, watch.made,
			watch.slept);
	good &= watch.made >= 6 && !watch.slept;
	good = good && atomic_map(&s, GFP_KERNEL) && atomic_map(&s, GFP_NOIO);
	iopt_destroy(s.domain);
	return good;
}

/* ---- where tables lie ---------------------------------------------------------------------- */

/**
 * struct places - where a domain's tables were found
 * @tables: how many
 * @beyond: of them where an entry of the format cannot lead
 * @astray: of them on another node than was asked for
 */
struct places {
	unsigned int tables;
	unsigned int beyond;
	unsigned int astray;
};

static void places_of(struct subject *s, int nid, struct places *places)
{
	struct iopt_item items[8];
	struct iopt_visit visit;
	size_t nr;

	*places = (struct places){ 0 };
	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_TABLES);
	while ((nr = iopt_visit(s->domain, &visit, items, ARRAY_SIZE(items)))) {
		for (size_t i = 0; i < nr; i++) {
			places->tables++;
			places->beyond += items[i].pa >> s->info->pa_lg2 != 0;
			places->astray += page_to_nid(pfn_to_page(PHYS_PFN(items[i].pa))) != nid;
		}
	}
}

/*
 * Memory of a node that entries of the format can lead to: then all of its tables are there; else
 * they come from elsewhere, and still are below the border.
 */
static bool node_fits(const struct iopt_format_info *info, int nid)
{
	return !(PFN_PHYS(node_start_pfn(nid)) >> info->pa_lg2);
}

static bool place_on(const struct iopt_format_info *info, int nid)
{
	u64 bytes = (1ull << info->granule_lg2) << info->index_lg2;
	struct places places;
	struct subject s;
	bool good;

	if (subject_create_at(&s, info, 0, nid))
		return false;
	good = !iopt_map(s.domain, BASE, BASE + s.granule - 1, BASE + OFFSET, RW, NULL) &&
	       !iopt_linux_map(s.domain, BASE + bytes, BASE + bytes + s.granule - 1,
			       BASE + bytes + OFFSET, RW, GFP_ATOMIC);
	places_of(&s, nid, &places);
	good = good && places.tables >= 3 && !places.beyond &&
	       (!node_fits(info, nid) || !places.astray);
	if (!good)
		pr_info("# %s, node %d: %u tables, %u too high, %u on another node\n", info->name,
			nid, places.tables, places.beyond, places.astray);
	iopt_destroy(s.domain);
	return good;
}

/*
 * Wants memory on three nodes, one of them above 4 GiB and another beyond 36 bits of address: else
 * there is not enough to choose from.
 */
static bool test_place(const struct iopt_format_info *info)
{
	unsigned int nodes = 0, high = 0, far = 0;
	bool good = true;
	int nid;

	for_each_node_state(nid, N_MEMORY)
	{
		nodes++;
		high += PFN_PHYS(node_start_pfn(nid)) >> 32 != 0;
		far += PFN_PHYS(node_start_pfn(nid)) >> 36 != 0;
		good = place_on(info, nid) && good;
	}
	if (nodes < 3 || high < 2 || !far) {
		pr_info("# %u nodes with memory, %u above 4 GiB, %u beyond 64 GiB: too few\n",
			nodes, high, far);
		return false;
	}
	return good;
}

/* ---- storm --------------------------------------------------------------------------------- */

#define MAPPERS	   2u
#define OTHERS	   3u
#define STORM_SPAN (SLOTS * 4u) /* slots; a mapper's own areas follow the shared one */

/**
 * struct storm - threads on one domain
 * @ends:   jiffies
 * @faults: what any of them saw
 * @rounds: of the mappers and of the others, so that none is known to have done nothing
 */
struct storm {
	struct subject s;
	unsigned long ends;
	atomic_t faults;
	atomic_long_t rounds[MAPPERS + OTHERS];
	struct task_struct *threads[MAPPERS + OTHERS];
	struct mind {
		struct storm *storm;
		unsigned int number;
		struct rnd_state chance;
	} minds[MAPPERS + OTHERS];
	struct dentry *folder;
	long pages;
};

static bool storm_goes_on(struct storm *storm, unsigned int number)
{
	atomic_long_inc(&storm->rounds[number]);
	cond_resched();
	return !kthread_should_stop() && time_before(jiffies, storm->ends);
}

static void storm_fault(struct storm *storm, const char *what, u64 iova, int got)
{
	if (atomic_inc_return(&storm->faults) <= 10)
		pr_info("# %s: %s at %#llx: %d\n", storm->s.info->name, what, iova, got);
}

/* One of the mappers allocates as if it might not sleep. */
static void storm_map(struct storm *storm, const struct mind *mind, u64 first, u64 bytes)
{
	int got = iopt_linux_map(storm->s.domain, first, first + bytes - 1, first + OFFSET, RW,
				 mind->number ? GFP_ATOMIC : GFP_KERNEL_ACCOUNT);

	if (got)
		storm_fault(storm, "map", first, got);
}

static void storm_unmap(struct storm *storm, u64 first, u64 bytes, unsigned int flags)
{
	struct iopt_gather gather;
	int got;

	iopt_gather_init(&gather, storm->s.domain, NULL);
	got = iopt_unmap(storm->s.domain, first, first + bytes - 1, flags, &gather, NULL);
	iopt_sync(&gather);
	if (got)
		storm_fault(storm, "unmap", first, got);
}

static void storm_reshape(struct storm *storm, u64 first, u64 bytes)
{
	struct iopt_gather gather;
	int got;

	if (!storm->s.resizes)
		return;
	iopt_gather_init(&gather, storm->s.domain, NULL);
	got = iopt_split(storm->s.domain, first, first + bytes - 1, storm->s.info->granule_lg2, 0,
			 &gather, 0, NULL);
	iopt_sync(&gather);
	if (got)
		storm_fault(storm, "split", first, got);
	got = iopt_merge(storm->s.domain, first, first + bytes - 1, ~0u, 0, &gather, 0, NULL);
	iopt_sync(&gather);
	if (got)
		storm_fault(storm, "merge", first, got);
}

/* Every other page of what both mappers share: tables that one empties are another's, too. */
static void mapper_shares(struct storm *storm, struct mind *mind)
{
	u64 granule = storm->s.granule;
	u32 slot = below(&mind->chance, SLOTS) & ~31u;
	u64 first = BASE + (slot + mind->number) * granule;
	unsigned int trim = storm->s.trims && below(&mind->chance, 2) ? IOPT_UNMAP_TRIM : 0;

	for (u32 i = 0; i < 32; i += 2)
		storm_map(storm, mind, first + i * granule, granule);
	for (u32 i = 0; i < 32; i += 2)
		storm_unmap(storm, first + i * granule, granule, trim);
}

/* Pages one by one, then all at once over their table; a block over it; the block in pieces. */
static void mapper_alone(struct storm *storm, struct mind *mind)
{
	u64 granule = storm->s.granule, bytes = granule << storm->s.info->index_lg2;
	u64 first = BASE + roundup(SLOTS * granule, bytes) + mind->number * bytes;

	for (u32 i = 0; i < 16; i++)
		storm_map(storm, mind, first + i * granule, granule);
	if (below(&mind->chance, 2))
		storm_unmap(storm, first, bytes, 0);
	else
		for (u32 i = 0; i < 16; i++)
			storm_unmap(storm, first + i * granule, granule, 0);
	storm_map(storm, mind, first, bytes);
	storm_reshape(storm, first, bytes);
	storm_unmap(storm, first, bytes, 0);
}

static int mapper(void *data)
{
	struct mind *mind = data;

	while (storm_goes_on(mind->storm, mind->number)) {
		mapper_shares(mind->storm, mind);
		mapper_alone(mind->storm, mind);
	}
	return 0;
}

/* Every leaf leads where its IOVA says, whatever is under way. */
static int visitor(void *data)
{
	struct mind *mind = data;
	struct storm *storm = mind->storm;
	struct iopt_item items[8];
	struct iopt_visit visit;
	size_t nr;

	while (storm_goes_on(storm, mind->number)) {
		iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES);
		while ((nr = iopt_visit(storm->s.domain, &visit, items, ARRAY_SIZE(items))))
			for (size_t i = 0; i < nr; i++)
				if (items[i].pa != items[i].first + OFFSET || items[i].prot != RW)
					storm_fault(storm, "a wrong leaf", items[i].first, 0);
	}
	return 0;
}

static int record(void *ctx, uint64_t first, uint64_t last)
{
	return 0;
}

static int sweep(struct storm *storm, struct iopt_gather *gather)
{
	const struct iopt_sink sink = { .record = record };

	return iopt_sweep(storm->s.domain, BASE, BASE + STORM_SPAN * storm->s.granule - 1,
			  IOPT_SWEEP_CLEAR, &sink, gather, 0, NULL);
}

static int trim(struct storm *storm, struct iopt_gather *gather)
{
	return iopt_trim(storm->s.domain, BASE, BASE + STORM_SPAN * storm->s.granule - 1, gather, 0,
			 NULL);
}

/* One of these over and over, where the format has it. */
static int repeat(struct mind *mind, bool able, const char *what,
		  int (*act)(struct storm *storm, struct iopt_gather *gather))
{
	struct storm *storm = mind->storm;
	struct iopt_gather gather;

	iopt_gather_init(&gather, storm->s.domain, NULL);
	while (storm_goes_on(storm, mind->number)) {
		int got = able ? act(storm, &gather) : 0;

		iopt_sync(&gather);
		if (got)
			storm_fault(storm, what, BASE, got);
		if (!able)
			msleep(1);
	}
	return 0;
}

static int sweeper(void *data)
{
	struct mind *mind = data;

	return repeat(mind, mind->storm->s.tracks, "sweep", sweep);
}

static int trimmer(void *data)
{
	struct mind *mind = data;

	return repeat(mind, mind->storm->s.trims, "trim", trim);
}

static int (*const roles[MAPPERS + OTHERS])(void *) = { mapper, mapper, visitor, sweeper, trimmer };

static void storm_stop(struct storm *storm)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++) {
		if (!storm->threads[i])
			continue;
		kthread_stop(storm->threads[i]);
		put_task_struct(storm->threads[i]);
		storm->threads[i] = NULL;
	}
}

/* The mappers on a processor each, if there are two; the others wherever there is room. */
static bool storm_start(struct storm *storm, unsigned int ms)
{
	storm->ends = jiffies + msecs_to_jiffies(ms);
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++) {
		struct mind *mind = &storm->minds[i];
		struct task_struct *thread;

		mind->storm = storm;
		mind->number = i;
		prandom_seed_state(&mind->chance, seed + i);
		thread = kthread_create(roles[i], mind, "iopt-storm/%u", i);
		if (IS_ERR(thread)) {
			storm_stop(storm);
			return false;
		}
		get_task_struct(thread);
		if (i < MAPPERS)
			kthread_bind(thread, i % num_online_cpus());
		storm->threads[i] = thread;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++)
		wake_up_process(storm->threads[i]);
	return true;
}

/* Whether all did something, nothing was wrong, and tables were freed in the ways that these do. */
static bool storm_good(struct storm *storm)
{
	const struct iopt_format_info *info = storm->s.info;
	bool good = !atomic_read(&storm->faults);
	struct iopt_stats stats;

	iopt_stats(storm->s.domain, &stats);
	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++)
		good &= atomic_long_read(&storm->rounds[i]) > 0;
	good &= stats.freed[IOPT_FREED_UNMAP] > 0;
	if (info->page_sizes >> (info->granule_lg2 + info->index_lg2) & 1)
		good &= stats.freed[IOPT_FREED_BLOCK] > 0;
	pr_info("# %s: %ld+%ld rounds\n", info->name, atomic_long_read(&storm->rounds[0]),
		atomic_long_read(&storm->rounds[1]));
	pr_info("# freed: race %llu block %llu unmap %llu trim %llu merge %llu\n",
		stats.freed[IOPT_FREED_RACE], stats.freed[IOPT_FREED_BLOCK],
		stats.freed[IOPT_FREED_UNMAP], stats.freed[IOPT_FREED_TRIM],
		stats.freed[IOPT_FREED_MERGE]);
	return good;
}

static bool test_storm(const struct iopt_format_info *info)
{
	struct storm *storm = kzalloc(sizeof(*storm), GFP_KERNEL);
	bool good = storm && !subject_create(&storm->s, info, 0);

	if (!good) {
		kfree(storm);
		return false;
	}
	if (storm->s.tracks)
		iopt_track(storm->s.domain, true);
	good = storm_start(storm, storm_ms);
	if (good) {
		msleep(storm_ms);
		storm_stop(storm);
		good = storm_good(storm);
	}
	iopt_destroy(storm->s.domain);
	kfree(storm);
	return good;
}

static bool test_device_here(const struct iopt_format_info *info)
{
	return test_device(info, storm_ms, seed);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool (*run)(const struct iopt_format_info *info);
} tests[] = {
	{ "model", test_model }, { "fault", test_fault }, { "atomic", test_atomic },
	{ "place", test_place }, { "storm", test_storm }, { "device", test_device_here },
};

/* Or none, which is all of them. */
static bool is_test(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (!strcmp(name, tests[i].name))
			return true;
	return !*name;
}

static size_t nr_formats(void)
{
	size_t nr = 0;

	while (iopt_format_info(nr))
		nr++;
	return nr;
}

static void run_all(void)
{
	size_t nr = nr_formats();
	unsigned int number = 0;

	pr_info("KTAP version 1\n1..%zu\n", *only ? nr : nr * ARRAY_SIZE(tests));
	for (size_t i = 0; i < nr * ARRAY_SIZE(tests); i++) {
		const struct iopt_format_info *info = iopt_format_info(i % nr);
		long pages = memory_pages();
		bool good;

		if (*only && strcmp(only, tests[i / nr].name))
			continue;
		good = tests[i / nr].run(info);

		good &= memory_back(pages);
		pr_info("%s %u %s %s\n", good ? "ok" : "not ok", ++number, tests[i / nr].name,
			info->name);
	}
}

static struct storm *background;

static int live_start(void)
{
	struct storm *storm = kzalloc(sizeof(*storm), GFP_KERNEL);
	int error = -ENOMEM;

	if (!storm)
		return error;
	storm->pages = memory_pages();
	error = subject_create(&storm->s, iopt_format_find("vtd-ss"), 0);
	if (error) {
		kfree(storm);
		return error;
	}
	iopt_track(storm->s.domain, true);
	storm->folder = iopt_linux_show(storm->s.domain, "storm");
	if (!storm_start(storm, live * 1000)) {
		iopt_linux_hide(storm->folder);
		iopt_destroy(storm->s.domain);
		kfree(storm);
		return -ENOMEM;
	}
	background = storm;
	return 0;
}

static void live_end(struct storm *storm)
{
	bool good;

	storm_stop(storm);
	iopt_linux_hide(storm->folder);
	good = storm_good(storm);
	iopt_destroy(storm->s.domain);
	good &= memory_back(storm->pages);
	pr_info("KTAP version 1\n1..1\n%s 1 live storm\n", good ? "ok" : "not ok");
	kfree(storm);
}

static int __init test_init(void)
{
	if (live > 3600) {
		pr_err("live=%u: at most 3600 seconds\n", live);
		return -EINVAL;
	}
	if (!is_test(only)) {
		pr_err("only=%s: no such tests\n", only);
		return -EINVAL;
	}
	if (live)
		return live_start();
	run_all();
	return 0;
}

static void __exit test_exit(void)
{
	if (background)
		live_end(background);
}

module_init(test_init);
module_exit(test_exit);
MODULE_DESCRIPTION("tests of the I/O page-table engine");
MODULE_LICENSE("Dual MIT/GPL");
