/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The adversary of tests/adversary in the kernel: a soft-IOMMU whose devices cache all that
 * hardware may, on a domain that is mapped, unmapped and trimmed meanwhile. Of each page it is
 * written down where it leads, and when it changes: an access between two looks that say the same
 * has to lead there, or to be refused if nothing is mapped. Tables are freed through the kernel's
 * RCU into its page allocator, which fills them with a pattern (page_poison=1): a walk that meets
 * it is a breach.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "kmod/test.h"
#include "soft-iommu/soft_iommu.h"

#define PAGES	 96u
#define PIECE	 8u /* what one call maps or unmaps */
#define VERSIONS 16u
#define DEVICES	 2u
#define POISON	 0xaaaaaaaaaaaaaaaaull /* include/linux/poison.h, PAGE_POISON */

/* What is written down of a page: its version and one of these, in one word. */
enum phase { UNMAPPED, CHANGING, MAPPED };

/**
 * struct scene - a domain, its hardware, and who is at work
 * @first: IOVA of page 0, half of a table below a border of two
 * @looks: of a page: version * 4 + phase
 * @side:  the hardware's idea of the domain
 * @root:  of telling it of a new root
 * @ends:  jiffies
 * @seen:  accesses of each device that were judged, when something was mapped and when nothing was
 */
struct scene {
	const struct iopt_format_info *info;
	struct iopt_domain *domain;
	struct rnd_state chance;
	u64 granule;
	u64 first;
	u32 version;
	u32 looks[PAGES];
	struct soft_iommu *unit;
	struct soft_iommu_domain *side;
	spinlock_t root;
	unsigned long ends;
	atomic_t faults;
	struct user {
		struct scene *scene;
		struct soft_iommu_device *device;
		struct task_struct *thread;
		struct rnd_state chance;
		unsigned long seen[2];
	} users[DEVICES];
	struct task_struct *trimmer;
};

static void fault(struct scene *scene, const char *what, u32 page)
{
	if (atomic_inc_return(&scene->faults) <= 5)
		pr_info("# %s: %s at page %u\n", scene->info->name, what, page);
}

/* ---- the hardware -------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	const struct scene *scene = ctx;

#ifdef IOPT_MUTANT_SYNC_WITHOUT_INVALIDATION
	return;
#endif
	soft_iommu_invalidate(scene->side, gather);
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	struct scene *scene = ctx;
	struct iopt_hw hw;

	spin_lock(&scene->root);
	iopt_hw(domain, &hw);
	soft_iommu_set_root(scene->side, &hw);
	spin_unlock(&scene->root);
}

static void *memory_at(uint64_t pa)
{
	return pfn_valid(PHYS_PFN(pa)) ? __va(pa) : NULL;
}

static void touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	*(u64 *)ctx = pa;
}

/* ---- who is at work ------------------------------------------------------------------------ */

static u64 leads_to(const struct scene *scene, u32 look, u32 page)
{
	return BASE + ((u64)(look / 4 % VERSIONS) * PAGES + page) * scene->granule;
}

/* One access, and whether it may have ended as it did. */
static void use_page(struct user *user, u32 page)
{
	struct scene *scene = user->scene;
	u32 look = smp_load_acquire(&scene->looks[page]);
	u64 pa = 0;
	enum soft_iommu_reason reason = soft_iommu_access(
		user->device, scene->first + page * scene->granule,
		below(&user->chance, 2) ? SOFT_IOMMU_WRITE : SOFT_IOMMU_READ, &pa);

	smp_rmb();
	if (READ_ONCE(scene->looks[page]) != look || look % 4 == CHANGING)
		return;
	user->seen[look % 4 == MAPPED]++;
	if (look % 4 == UNMAPPED && reason == SOFT_IOMMU_DONE)
		fault(scene, "an access lands where nothing is mapped any more", page);
	else if (look % 4 == MAPPED && reason != SOFT_IOMMU_DONE)
		fault(scene, soft_iommu_reason_name(reason), page);
	else if (look % 4 == MAPPED && pa != leads_to(scene, look, page))
		fault(scene, "an access lands elsewhere", page);
}

static int use(void *data)
{
	struct user *user = data;

	while (!kthread_should_stop()) {
		use_page(user, below(&user->chance, PAGES));
		cond_resched();
	}
	return 0;
}

static int trim(void *data)
{
	struct scene *scene = data;
	struct iopt_gather gather;

	iopt_gather_init(&gather, scene->domain, NULL);
	while (!kthread_should_stop()) {
		iopt_trim(scene->domain, scene->first, scene->first + PAGES * scene->granule - 1,
			  &gather, 0, NULL);
		iopt_sync(&gather);
		usleep_range(50, 200);
	}
	return 0;
}

static void say(struct scene *scene, u32 page, u32 look)
{
	for (u32 i = 0; i < PIECE; i++)
		smp_store_release(&scene->looks[page + i], look);
	/* Before anything that follows, as a device could see it. */
	smp_mb();
}

static void change_piece(struct scene *scene, u32 page)
{
	u64 first = scene->first + page * scene->granule, last = first + PIECE * scene->granule - 1;
	bool mapped = scene->looks[page] % 4 == MAPPED;
	u32 version = ++scene->version;
	struct iopt_gather gather;
	int error;

	say(scene, page, version * 4 + CHANGING);
	if (!mapped) {
		error = iopt_map(scene->domain, first, last, leads_to(scene, version * 4, page), RW,
				 NULL);
	} else {
		iopt_gather_init(&gather, scene->domain, NULL);
		error = iopt_unmap(scene->domain, first, last, 0, &gather, NULL);
		iopt_sync(&gather);
	}
	if (error)
		fault(scene, mapped ? "unmap fails" : "map fails", page);
	say(scene, page, version * 4 + (mapped ? UNMAPPED : MAPPED));
}

static void change(struct scene *scene)
{
	while (time_before(jiffies, scene->ends)) {
		/* Everything away now and then: that empties whole tables. */
		bool all = below(&scene->chance, 64) == 0;

		for (u32 page = 0; all && page < PAGES; page += PIECE)
			if (scene->looks[page] % 4 == MAPPED)
				change_piece(scene, page);
		change_piece(scene, below(&scene->chance, PAGES / PIECE) * PIECE);
		cond_resched();
	}
}

/* ---- setting up ---------------------------------------------------------------------------- */

static int make_domain(struct scene *scene)
{
	const struct iopt_config config = {
		.format = scene->info->name,
		.bbm = scene->info->abilities & IOPT_CAN_BBM ? 2 : 0,
		.callbacks = { .invalidate = invalidate, .top_changed = top_changed },
		.ctx = scene,
	};
	const struct soft_iommu_config unit = { .va = memory_at, .poison = POISON };
	struct soft_iommu_domain_config side = { .format = scene->info->name };
	int error = iopt_create(&config, &scene->domain);

	if (error)
		return error;
	iopt_hw(scene->domain, &side.hw);
	return soft_iommu_create(&unit, &scene->unit)
		       ?: soft_iommu_domain_create(scene->unit, &side, &scene->side);
}

static int start(struct scene *scene)
{
	static const u32 flags[DEVICES] = { 0, SOFT_IOMMU_ATS | SOFT_IOMMU_RANDOM };

	for (u32 i = 0; i < DEVICES; i++) {
		struct user *user = &scene->users[i];
		const struct soft_iommu_device_config config = {
			.touch = touch,
			.flags = flags[i],
			.id = i,
			.seed = below(&scene->chance, U32_MAX),
		};

		user->scene = scene;
		prandom_seed_state(&user->chance, config.seed);
		if (soft_iommu_device_create(scene->side, &config, &user->device))
			return -ENOMEM;
		user->thread = kthread_run(use, user, "iopt-device%u", i);
		if (IS_ERR(user->thread))
			return -ENOMEM;
	}
	if (!(scene->info->abilities & IOPT_CAN_TRIM))
		return 0;
	scene->trimmer = kthread_run(trim, scene, "iopt-trimmer");
	return PTR_ERR_OR_ZERO(scene->trimmer);
}

static void stop(struct scene *scene)
{
	for (u32 i = 0; i < DEVICES; i++) {
		if (!IS_ERR_OR_NULL(scene->users[i].thread))
			kthread_stop(scene->users[i].thread);
		soft_iommu_device_destroy(scene->users[i].device);
	}
	if (!IS_ERR_OR_NULL(scene->trimmer))
		kthread_stop(scene->trimmer);
}

static bool judge(struct scene *scene)
{
	u64 breaches = soft_iommu_count(scene->unit, SOFT_IOMMU_BREACHES);
	bool good = !atomic_read(&scene->faults) && !breaches;

	for (u32 i = 0; i < DEVICES; i++)
		good &= scene->users[i].seen[0] > 0 && scene->users[i].seen[1] > 0;
	pr_info("# %s: %u changes, accesses %lu+%lu, %lu+%lu, breaches %llu\n", scene->info->name,
		scene->version, scene->users[0].seen[0], scene->users[0].seen[1],
		scene->users[1].seen[0], scene->users[1].seen[1], breaches);
	return good;
}

bool test_device(const struct iopt_format_info *info, unsigned int ms, u32 seed)
{
	struct scene *scene = kzalloc(sizeof(*scene), GFP_KERNEL);
	bool good;

	if (!scene)
		return false;
	scene->info = info;
	scene->granule = 1ull << info->granule_lg2;
	scene->first = BASE + (scene->granule << info->index_lg2) - PAGES / 2 * scene->granule;
	spin_lock_init(&scene->root);
	prandom_seed_state(&scene->chance, seed);
	good = !make_domain(scene) && !start(scene);
	if (good) {
		scene->ends = jiffies + msecs_to_jiffies(ms);
		change(scene);
	}
	stop(scene);
	good = good && judge(scene);
	soft_iommu_domain_destroy(scene->side);
	soft_iommu_destroy(scene->unit);
	iopt_destroy(scene->domain);
	kfree(scene);
	return good;
}
