/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See rig.h. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rig.h"

/*
 * Few enough that freed tables are used again during a test, many enough that they rest for long.
 */
#define ARENA_BYTES (192 * MIB)

/* Of these for tables of each other size than 4 KiB, before those have taken them all. */
#define ASIDE_BYTES (32 * MIB)

/* ---- complaints --------------------------------------------------------------------------- */

static pthread_mutex_t complaint_lock = PTHREAD_MUTEX_INITIALIZER;
static char complaint[512];
static bool is_complaint;

void complain(const char *format, ...)
{
	va_list arguments;

	pthread_mutex_lock(&complaint_lock);
	if (!complained()) {
		va_start(arguments, format);
		vsnprintf(complaint, sizeof(complaint), format, arguments);
		va_end(arguments);
		__atomic_store_n(&is_complaint, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&complaint_lock);
}

bool complained(void)
{
	return __atomic_load_n(&is_complaint, __ATOMIC_ACQUIRE);
}

void assert_no_complaint(void)
{
	if (!complained())
		return;
	__atomic_store_n(&is_complaint, false, __ATOMIC_RELEASE);
	fail_msg("%s", complaint);
}

/* ---- time and chance ---------------------------------------------------------------------- */

uint64_t clock_tick(void)
{
	static uint64_t clock;

	return __atomic_add_fetch(&clock, 1, __ATOMIC_SEQ_CST);
}

double test_scale(void)
{
	const char *text = getenv("IOPT_TEST_SCALE");
	double scale = text ? strtod(text, NULL) : 1;

	return scale > 0 ? scale : 1;
}

double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* SplitMix64, Steele, Lea and Flood. */
uint64_t random_next(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

uint64_t test_seed(void)
{
	static uint64_t seed;
	const char *text = getenv("IOPT_TEST_SEED");

	if (!seed) {
		seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003u;
		seed += !seed;
		print_message("IOPT_TEST_SEED=%llu\n", (unsigned long long)seed);
	}
	return seed;
}

/* ---- callbacks ---------------------------------------------------------------------------- */

static _Thread_local uint64_t invalidated_at;

uint64_t rig_invalidated_at(void)
{
	return invalidated_at;
}

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct rig *rig = ctx;

	for (uint32_t i = 0; i < gather->nr_ranges; i++)
		if (gather->ranges[i].first > gather->ranges[i].last)
			complain("a gather's range is backward: 0x%llx..0x%llx",
				 (unsigned long long)gather->ranges[i].first,
				 (unsigned long long)gather->ranges[i].last);
	if (rig->before_invalidate)
		rig->before_invalidate(rig, gather);
	soft_iommu_invalidate(rig->side, gather);
	invalidated_at = clock_tick();
	if (rig->after_invalidate)
		rig->after_invalidate(rig, gather);
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	struct rig *rig = ctx;
	struct iopt_hw hw;

	if (rig->before_top)
		rig->before_top(rig);
	pthread_mutex_lock(&rig->root_lock);
	iopt_hw(domain, &hw);
	if (soft_iommu_set_root(rig->side, &hw))
		complain("the hardware refuses the root");
	pthread_mutex_unlock(&rig->root_lock);
}

/* ---- opening and closing ------------------------------------------------------------------ */

static void ignore(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
}

static void ignore_top(void *ctx, struct iopt_domain *domain)
{
	(void)ctx;
	(void)domain;
}

static void reserve_once(struct iopt_domain *domain, const struct iopt_format_info *format)
{
	const uint64_t nr = ASIDE_BYTES >> (format->index_lg2 + format->entry_lg2);
	const uint64_t most = space_of(format, format->default_levels) >> span_lg2(format, 1);
	struct iopt_reserve reserve = { 0 };

	assert_int_equal(iopt_reserve(domain, 0,
				      ((nr < most ? nr : most) << span_lg2(format, 1)) - 1,
				      &reserve),
			 0);
	iopt_reserve_release(&reserve);
}

/*
 * Memory that once held tables of a size is theirs from then on: that of the top, and that of the
 * others, but once for each size. *sizes has those that were seen.
 */
static void set_aside(const struct iopt_format_info *format, uint32_t *sizes)
{
	const struct iopt_config config = {
		.format = format->name,
		.callbacks = { .invalidate = ignore, .top_changed = ignore_top },
	};
	const uint32_t size = 1u << (format->index_lg2 + format->entry_lg2);
	struct iopt_domain *domain;

	assert_int_equal(iopt_create(&config, &domain), 0);
	if (!(*sizes & size))
		reserve_once(domain, format);
	*sizes |= size;
	iopt_destroy(domain);
}

static void setup_arena(void)
{
	const struct iopt_posix_config config = {
		.bytes = ARENA_BYTES,
		.base = GIB, /* entries of four bytes hold 32 bits of an address */
		.fd = -1,
		.poison = true,
		.image = true,
	};
	static bool done;
	uint32_t sizes = 4096; /* these get the rest */

	if (done)
		return;
	done = true;
	assert_int_equal(iopt_posix_setup(&config), 0);
	for (size_t i = 0; iopt_format_info(i); i++)
		set_aside(iopt_format_info(i), &sizes);
}

static uint64_t process_tables(void)
{
	struct iopt_posix_memory memory;

	iopt_posix_memory(&memory);
	return memory.tables;
}

static _Thread_local uint64_t touched;

static void default_touch(void *ctx, uint64_t iova, uint64_t pa, bool write)
{
	(void)ctx;
	(void)iova;
	(void)write;
	touched = pa;
}

/* The turn of the running test. */
static enum turn { TRACKED, UNTRACKED, NONCOHERENT, NR_TURNS } turn;

static const uint32_t turn_flags[NR_TURNS] = { IOPT_TRACK, 0, IOPT_NONCOHERENT };
static const char *const turn_names[NR_TURNS] = { "", ", untracked", ", non-coherent" };

struct rig_config rig_defaults(const char *format)
{
	return (struct rig_config){
		.domain = { .format = format, .flags = turn_flags[turn] },
		.nr_devices = 1,
	};
}

static void attach_devices(struct rig *rig, const struct rig_config *config)
{
	const struct soft_iommu_config unit = {
		.va = iopt_posix_va,
		.image = iopt_posix_image_va,
		.state = iopt_posix_table_state,
		.poison = IOPT_POSIX_POISON,
		.count_only = ~SOFT_IOMMU_BREACHES,
	};
	struct soft_iommu_domain_config side = { .format = rig->format->name };

	if (config->domain.flags & IOPT_SIGN_EXTEND)
		side.flags |= SOFT_IOMMU_SIGN_EXTEND;
	if (config->domain.flags & IOPT_NONCOHERENT)
		side.flags |= SOFT_IOMMU_NO_SNOOP;
	iopt_hw(rig->domain, &side.hw);
	assert_int_equal(soft_iommu_create(&unit, &rig->unit), 0);
	assert_int_equal(soft_iommu_domain_create(rig->unit, &side, &rig->side), 0);
	for (rig->nr_devices = 0; rig->nr_devices < config->nr_devices; rig->nr_devices++) {
		const struct soft_iommu_device_config device = {
			.touch = config->touch ? config->touch : default_touch,
			.flags = config->devices[rig->nr_devices],
			.id = rig->nr_devices,
			.seed = test_seed() + rig->nr_devices,
		};

		assert_int_equal(soft_iommu_device_create(rig->side, &device,
							  &rig->devices[rig->nr_devices]),
				 0);
	}
}

void rig_open(struct rig *rig, const struct rig_config *config)
{
	struct iopt_config domain = config->domain;

	setup_arena();
	*rig = (struct rig){ .format = iopt_format_find(config->domain.format) };
	pthread_mutex_init(&rig->root_lock, NULL);
	rig->tracked = config->domain.flags & IOPT_TRACK;
	iopt_posix_barrier();
	rig->tables_before = process_tables();
	rig->breaches_before = iopt_posix_breaches();
	domain.callbacks.invalidate = invalidate;
	domain.callbacks.top_changed = rig->format->abilities & IOPT_CAN_GROW ? top_changed : NULL;
	domain.ctx = rig;
	if (!domain.bbm && rig->format->abilities & IOPT_CAN_BBM)
		domain.bbm = 2;
	assert_int_equal(iopt_create(&domain, &rig->domain), 0);
	attach_devices(rig, config);
}

void rig_check_breaches(struct rig *rig, uint32_t reasons)
{
	char text[SOFT_IOMMU_TEXT_BYTES] = "(no event was kept)";
	struct soft_iommu_event event;

	if (!soft_iommu_count(rig->unit, reasons))
		return;
	while (soft_iommu_events(rig->unit, &event, 1))
		if (SOFT_IOMMU_BIT(event.reason) & reasons) {
			soft_iommu_event_text(&event, text);
			break;
		}
	complain("%llu breaches, the first: %s",
		 (unsigned long long)soft_iommu_count(rig->unit, reasons), text);
}

uint64_t rig_visited_tables(struct rig *rig)
{
	struct iopt_item items[64];
	struct iopt_visit visit;
	uint64_t tables = 0;

	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_TABLES);
	while (!visit.done)
		tables += iopt_visit(rig->domain, &visit, items, 64);
	return tables;
}

static void check_tables(struct rig *rig)
{
	struct iopt_stats stats;
	uint64_t found = rig_visited_tables(rig), process = process_tables();

	iopt_stats(rig->domain, &stats);
	if (found != stats.tables)
		complain("a visit finds %llu tables, the statistics say %llu",
			 (unsigned long long)found, (unsigned long long)stats.tables);
	if (process - rig->tables_before != found)
		complain("a visit finds %llu tables, %lld exist", (unsigned long long)found,
			 (long long)(process - rig->tables_before));
}

static void detach_devices(struct rig *rig)
{
	for (unsigned i = 0; i < rig->nr_devices; i++)
		soft_iommu_device_destroy(rig->devices[i]);
	soft_iommu_domain_destroy(rig->side);
	soft_iommu_destroy(rig->unit);
}

static void close_domain(struct rig *rig)
{
	iopt_destroy(rig->domain);
	iopt_posix_barrier();
	pthread_mutex_destroy(&rig->root_lock);
}

void rig_close(struct rig *rig)
{
	struct iopt_posix_memory memory;

	rig_check_breaches(rig, SOFT_IOMMU_BREACHES);
	if (!rig->may_breach && iopt_posix_breaches() != rig->breaches_before)
		complain("the engine takes what was allowed for a broken contract");
	check_tables(rig);
	detach_devices(rig);
	close_domain(rig);
	iopt_posix_memory(&memory);
	if (memory.tables != rig->tables_before || memory.waiting)
		complain("%lld tables are left after the domain, %llu bytes wait for RCU",
			 (long long)(memory.tables - rig->tables_before),
			 (unsigned long long)memory.waiting);
	assert_no_complaint();
}

void rig_close_leaky(struct rig *rig)
{
	struct iopt_posix_memory memory;

	rig_check_breaches(rig, SOFT_IOMMU_BREACHES & ~SOFT_IOMMU_BIT(SOFT_IOMMU_REPLICAS_DIFFER));
	detach_devices(rig);
	close_domain(rig);
	iopt_posix_memory(&memory);
	if ((int64_t)(memory.tables - rig->tables_before) < 0)
		complain("%lld tables more were freed than there were",
			 (long long)(rig->tables_before - memory.tables));
	assert_no_complaint();
}

/* ---- one access, one table ---------------------------------------------------------------- */

uint64_t rig_table(struct rig *rig, uint64_t iova, unsigned level)
{
	struct iopt_item items[IOPT_MAX_LEVELS];
	struct iopt_visit visit;
	size_t nr;

	iopt_visit_init(&visit, iova, iova, IOPT_VISIT_TABLES);
	nr = iopt_visit(rig->domain, &visit, items, IOPT_MAX_LEVELS);
	for (size_t i = 0; i < nr; i++)
		if (items[i].level == level)
			return items[i].pa;
	return 0;
}

enum soft_iommu_reason rig_write(struct rig *rig, unsigned device, uint64_t iova)
{
	return soft_iommu_access(rig->devices[device], iova, SOFT_IOMMU_WRITE, NULL);
}

enum soft_iommu_reason rig_read(struct rig *rig, unsigned device, uint64_t iova)
{
	return soft_iommu_access(rig->devices[device], iova, SOFT_IOMMU_READ, NULL);
}

bool rig_reaches(struct rig *rig, unsigned device, uint64_t iova)
{
	return rig_read(rig, device, iova) == SOFT_IOMMU_DONE ||
	       rig_write(rig, device, iova) == SOFT_IOMMU_DONE;
}

uint64_t rig_touched(void)
{
	return touched;
}

void rig_map(struct rig *rig, uint64_t first, uint64_t bytes, uint64_t pa)
{
	assert_int_equal(iopt_map(rig->domain, first, first + bytes - 1, pa, READ_WRITE, NULL), 0);
}

void rig_unmap(struct rig *rig, uint64_t first, uint64_t bytes)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, rig->domain, NULL);
	assert_int_equal(iopt_unmap(rig->domain, first, first + bytes - 1, 0, &gather, NULL), 0);
	iopt_sync(&gather);
}

/* ---- dirty reports ------------------------------------------------------------------------ */

static int note(void *ctx, uint64_t first, uint64_t last)
{
	struct notes *notes = ctx;

	if (notes->accept) {
		notes->accept--;
	} else if (notes->refuse) {
		notes->refuse--;
		return notes->error;
	}
	if (notes->nr < NOTES)
		notes->ranges[notes->nr] = (struct iopt_range){ first, last };
	notes->nr++;
	return 0;
}

void notes_init(struct notes *notes)
{
	*notes = (struct notes){ .sink = { .record = note, .ctx = notes } };
}

unsigned notes_count(const struct notes *notes, uint64_t iova)
{
	unsigned found = 0;

	for (unsigned i = 0; i < notes->nr && i < NOTES; i++)
		found += notes->ranges[i].first <= iova && iova <= notes->ranges[i].last;
	return found;
}

void rig_sweep(struct rig *rig, uint64_t first, uint64_t last, unsigned flags, struct notes *notes)
{
	struct iopt_gather gather;

	notes_init(notes);
	iopt_gather_init(&gather, rig->domain, NULL);
	assert_int_equal(
		iopt_sweep(rig->domain, first, last, flags, &notes->sink, &gather, 0, NULL), 0);
	iopt_sync(&gather);
}

/* ---- the same test for every format ------------------------------------------------------- */

#define MAX_TESTS 2048u

/* What cmocka hands to a test as its initial state. */
struct format_run {
	const struct format_test *test;
	const struct iopt_format_info *format;
	enum turn turn;
	char name[96];
};

static const struct format_test *running;

const struct format_test *test_running(void)
{
	return running;
}

static void run_one(void **state)
{
	const struct format_run *run = *state;

	running = run->test;
	turn = run->turn;
	run->test->run(run->format);
}

/* Adds a test to the array; what is too much is a mistake in this folder. */
static void add_run(struct CMUnitTest *units, size_t *used, const struct format_test *test,
		    const struct iopt_format_info *format, enum turn which)
{
	static struct format_run runs[MAX_TESTS];
	struct format_run *run = &runs[*used];

	if (*used == MAX_TESTS)
		abort();
	run->test = test;
	run->format = format;
	run->turn = which;
	snprintf(run->name, sizeof(run->name), "%s, %s%s", test->name, format->name,
		 turn_names[which]);
	units[(*used)++] = (struct CMUnitTest){
		.name = run->name,
		.test_func = run_one,
		.initial_state = run,
	};
}

static int run_each(const char *filter, const char *group, const struct format_test *tests,
		    size_t nr, bool any_shape)
{
	static struct CMUnitTest units[MAX_TESTS];
	const struct iopt_format_info *format;
	size_t used = 0;

	if (filter)
		cmocka_set_test_filter(filter);
	for (size_t i = 0; i < nr; i++) {
		for (size_t f = 0; (format = iopt_format_info(f)); f++) {
			if ((format->abilities & tests[i].wants) != tests[i].wants ||
			    (!any_shape && !is_usual(format)))
				continue;
			for (enum turn t = format->abilities & IOPT_CAN_TRACK_DIRTY ? TRACKED
										    : UNTRACKED;
			     t < (tests[i].tracked ? UNTRACKED : NR_TURNS); t++)
				add_run(units, &used, &tests[i], format, t);
		}
	}
	/* cmocka's macro counts an array at compile time; only the entries in use are to run. */
	return _cmocka_run_group_tests(group, units, used, NULL, NULL);
}

int run_format_tests(int argc, char **argv, const char *group, const struct format_test *tests,
		     size_t nr)
{
	return run_each(argc > 1 ? argv[1] : NULL, group, tests, nr, false);
}

int run_shape_tests(int argc, char **argv, const char *group, const struct format_test *tests,
		    size_t nr)
{
	return run_each(argc > 1 ? argv[1] : NULL, group, tests, nr, true);
}
