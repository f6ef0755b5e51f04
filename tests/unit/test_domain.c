/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Formats as users see them, creating domains well and badly, what the hardware is told, reserves,
 * and the error numbers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/errors.h"
#include "tests/support/support.h"

#define PAGE 4096u

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	(void)ctx;
	(void)domain;
}

static const struct iopt_callbacks callbacks = { .invalidate = invalidate,
						 .top_changed = top_changed };

static struct iopt_config config_of(const char *format)
{
	return (struct iopt_config){ .format = format, .callbacks = callbacks };
}

/* What creating that domain returns; one that was created is destroyed. */
static int try_config(const struct iopt_config *config)
{
	struct iopt_domain *domain = NULL;
	int result = iopt_create(config, &domain);

	assert_true((result == 0) == (domain != NULL));
	iopt_destroy(domain);
	return result;
}

static void error_numbers(void **state)
{
	(void)state;
	assert_int_equal(IOPT_ENOENT, ENOENT);
	assert_int_equal(IOPT_ENOMEM, ENOMEM);
	assert_int_equal(IOPT_EBUSY, EBUSY);
	assert_int_equal(IOPT_EEXIST, EEXIST);
	assert_int_equal(IOPT_EXDEV, EXDEV);
	assert_int_equal(IOPT_EINVAL, EINVAL);
	assert_int_equal(IOPT_ERANGE, ERANGE);
	assert_int_equal(IOPT_EOPNOTSUPP, EOPNOTSUPP);
}

static void formats_by_name_and_number(void **state)
{
	size_t nr = 0;

	(void)state;
	while (iopt_format_info(nr))
		nr++;
	assert_int_equal(nr, NR_FORMATS);
	assert_null(iopt_format_info(nr + 1));
	assert_null(iopt_format_info(SIZE_MAX));
	for (size_t i = 0; i < nr; i++) {
		assert_non_null(iopt_format_find(formats[i]));
		assert_string_equal(iopt_format_find(formats[i])->name, formats[i]);
		assert_ptr_equal(iopt_format_find(formats[i]), iopt_format_info(i));
		assert_non_null(hardware_of(formats[i]));
	}
	assert_null(iopt_format_find(""));
	assert_null(iopt_format_find("vtd"));
	assert_null(iopt_format_find("vtd-ss2"));
	assert_null(iopt_format_find("VTD-SS"));
	assert_null(iopt_format_find(NULL));
}

static void unknown_format(void **state)
{
	struct iopt_config config = config_of("armv8");

	(void)state;
	assert_int_equal(try_config(&config), -ENOENT);
	config.format = NULL;
	assert_int_equal(try_config(&config), -ENOENT);
}

static void numbers_of_levels(void **state)
{
	static const struct {
		const char *format;
		uint8_t fewest, most;
	} levelled[] = {
		{ "vtd-ss", 3, 5 },	     { "x86-64", 4, 5 },	{ "amd-v1", 1, 6 },
		{ "riscv-s1", 3, 5 },	     { "riscv-g", 3, 5 },	{ "arm-s1", 2, 4 },
		{ "arm-s1-16k", 2, 4 },	     { "arm-s1-64k", 2, 3 },	{ "arm-s1-lpa2", 2, 5 },
		{ "arm-s1-16k-lpa2", 2, 4 }, { "arm-s2", 2, 4 },	{ "arm-s2-16k", 2, 3 },
		{ "arm-s2-64k", 2, 3 },	     { "arm-s2-lpa2", 2, 5 },	{ "arm-s2-16k-lpa2", 2, 4 },
		{ "arm-lpae32-s1", 2, 3 },   { "arm-lpae32-s2", 2, 3 }, { "arm-mali", 4, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(levelled) / sizeof(levelled[0]); i++) {
		struct iopt_config config = config_of(levelled[i].format);

		if (few_formats() && !iopt_format_find(config.format))
			continue;
		assert_int_equal(try_config(&config), 0);
		for (unsigned levels = 1; levels <= UINT8_MAX; levels++) {
			bool fits = levels >= levelled[i].fewest && levels <= levelled[i].most;

			config.levels = (uint8_t)levels;
			assert_int_equal(try_config(&config), fits ? 0 : -EINVAL);
		}
	}
}

static void levels_and_most_levels(void **state)
{
	struct iopt_config config = config_of("amd-v1");

	(void)state;
	config.levels = 3;
	config.max_levels = 2;
	assert_int_equal(try_config(&config), -EINVAL);
	config.max_levels = 3;
	assert_int_equal(try_config(&config), 0);
	config.max_levels = 7;
	assert_int_equal(try_config(&config), -EINVAL);

	/* Others do not grow. */
	config = config_of("vtd-ss");
	config.levels = 4;
	config.max_levels = 4;
	assert_int_equal(try_config(&config), 0);
	config.max_levels = 5;
	assert_int_equal(try_config(&config), -EINVAL);
	config.max_levels = 3;
	assert_int_equal(try_config(&config), -EINVAL);
}

static void address_widths(void **state)
{
	struct iopt_config config = config_of("vtd-ss");

	(void)state;
	config.levels = 3;
	config.iova_lg2 = 39;
	assert_int_equal(try_config(&config), 0);
	config.iova_lg2 = 40; /* more than three levels translate */
	assert_int_equal(try_config(&config), -EINVAL);
	config.iova_lg2 = 13;
	assert_int_equal(try_config(&config), 0);
	config.iova_lg2 = 12;
	assert_int_equal(try_config(&config), -EINVAL);
	config.iova_lg2 = 0;
	config.pa_lg2 = 52;
	assert_int_equal(try_config(&config), 0);
	config.pa_lg2 = 53; /* more than an entry holds */
	assert_int_equal(try_config(&config), -EINVAL);
	config.pa_lg2 = 12;
	assert_int_equal(try_config(&config), -EINVAL);

	config = config_of("amd-v1");
	config.iova_lg2 = 64;
	assert_int_equal(try_config(&config), 0);
	config.iova_lg2 = 65;
	assert_int_equal(try_config(&config), -EINVAL);
	config.iova_lg2 = 48; /* more than two levels translate, and it may not grow further */
	config.levels = 1;
	config.max_levels = 2;
	assert_int_equal(try_config(&config), -EINVAL);
}

/* A page size in the mask that the table can't hold. */
static void page_sizes(void **state)
{
	struct iopt_config config = config_of("vtd-ss");

	(void)state;
	config.page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30;
	assert_int_equal(try_config(&config), 0);
	config.page_sizes = 1ull << 12 | 1ull << 13;
	assert_int_equal(try_config(&config), -EINVAL);
	config.page_sizes = 1ull << 12 | 1ull << 39;
	assert_int_equal(try_config(&config), -EINVAL);
	config.page_sizes = 1ull << 12 | 1;
	assert_int_equal(try_config(&config), -EINVAL);
	config.page_sizes = 1ull << 21; /* the granule is missing */
	assert_int_equal(try_config(&config), -EINVAL);

	config = config_of("amd-v1");
	config.page_sizes = 1ull << 12 | 1ull << 51;
	assert_int_equal(try_config(&config), 0);
	config.page_sizes = 1ull << 12 | 1ull << 39; /* left out in this format */
	assert_int_equal(try_config(&config), -EINVAL);
	config.page_sizes = 1ull << 12 | 1ull << 30; /* larger than all that two levels translate */
	config.levels = 2;
	config.max_levels = 2;
	assert_int_equal(try_config(&config), -EINVAL);
	config.page_sizes = 1ull << 12 | 1ull << 29;
	assert_int_equal(try_config(&config), 0);
}

static void flags(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_config config = config_of(formats[i]);
		bool sign = iopt_format_find(formats[i])->abilities & IOPT_CAN_SIGN_EXTEND;
		bool upper = iopt_format_find(formats[i])->abilities & IOPT_CAN_UPPER;
		bool accessed = iopt_format_find(formats[i])->abilities & IOPT_CAN_ACCESSED_TABLES;

		config.flags = IOPT_SIGN_EXTEND;
		assert_int_equal(try_config(&config), sign ? 0 : -EOPNOTSUPP);
		config.flags = IOPT_TRACKABLE | IOPT_CACHES_EMPTY;
		assert_int_equal(try_config(&config), 0);
		config.flags = IOPT_NONCOHERENT | IOPT_CACHES_EMPTY;
		assert_int_equal(try_config(&config), 0);
		config.flags = IOPT_TRACKABLE | IOPT_NONCOHERENT;
		assert_int_equal(try_config(&config), -EINVAL);
		config.flags = IOPT_TRACK | IOPT_NONCOHERENT;
		assert_int_equal(try_config(&config), -EINVAL);
		config.flags = IOPT_ACCESSED_TABLES;
		assert_int_equal(try_config(&config), accessed ? -EINVAL : -EOPNOTSUPP);
		config.flags = IOPT_ACCESSED_TABLES | IOPT_TRACKABLE;
		assert_int_equal(try_config(&config), accessed ? 0 : -EOPNOTSUPP);
		config.flags = IOPT_UPPER;
		assert_int_equal(try_config(&config), upper ? 0 : -EOPNOTSUPP);
		config.flags = IOPT_UPPER | IOPT_SIGN_EXTEND;
		assert_int_equal(try_config(&config), upper && sign ? -EINVAL : -EOPNOTSUPP);
		config.flags = IOPT_UPPER << 1;
		assert_int_equal(try_config(&config), -EINVAL);
		config.flags = 1u << 31;
		assert_int_equal(try_config(&config), -EINVAL);
	}
}

static void bbm_levels(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_config config = config_of(formats[i]);
		bool bbm = iopt_format_find(formats[i])->abilities & IOPT_CAN_BBM;

		for (config.bbm = 0; config.bbm < 4; config.bbm++)
			assert_int_equal(try_config(&config),
					 config.bbm <= (bbm ? 2 : 0) ? 0 : -EINVAL);
	}
}

static void missing_callbacks(void **state)
{
	struct iopt_config config = config_of("vtd-ss");

	(void)state;
	config.callbacks.top_changed = NULL; /* does not grow */
	assert_int_equal(try_config(&config), 0);
	config.callbacks.invalidate = NULL;
	assert_int_equal(try_config(&config), -EINVAL);
	config = config_of("amd-v1");
	config.callbacks.top_changed = NULL;
	assert_int_equal(try_config(&config), -EINVAL);
}

static void destroy_nothing(void **state)
{
	(void)state;
	iopt_destroy(NULL);
	assert_true(memory_idle());
}

/* What the last IOVA of a domain is: one can be looked up, the next can't. */
static void check_width(const char *format, uint8_t levels, uint8_t iova_lg2, unsigned lg2)
{
	struct iopt_config config = { .format = format, .levels = levels, .iova_lg2 = iova_lg2 };
	struct iopt_translation t;
	struct device device = { 0 };

	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_translate(device.domain, (1ull << (lg2 - 1)) | 1, &t), -ENOENT);
	assert_int_equal(iopt_translate(device.domain, lg2 < 64 ? (1ull << lg2) - 1 : ~0ull, &t),
			 -ENOENT);
	if (lg2 < 64) {
		assert_int_equal(iopt_translate(device.domain, 1ull << lg2, &t), -ERANGE);
		assert_int_equal(iopt_translate(device.domain, ~0ull, &t), -ERANGE);
	}
	assert_true(device_destroy(&device));
}

static void widths(void **state)
{
	(void)state;
	check_width("vtd-ss", 3, 0, 39);
	check_width("vtd-ss", 0, 0, 48);
	check_width("vtd-ss", 5, 0, 57);
	check_width("vtd-ss", 4, 40, 40);
	check_width("x86-64", 0, 0, 48);
	check_width("x86-64", 5, 0, 57);
	check_width("riscv-s1", 3, 0, 39);
	check_width("riscv-s1", 0, 0, 48);
	check_width("riscv-s1", 5, 0, 57);
	check_width("riscv-g", 3, 0, 41);
	check_width("riscv-g", 0, 0, 50);
	check_width("riscv-g", 5, 0, 59);
	check_width("riscv-g", 3, 39, 39);
	check_width("amd-v1", 0, 0, 64); /* it grows that far */
	check_width("amd-v1", 1, 33, 33);
	check_width("amd-v1", 6, 0, 64);
}

static void hardware_is_told(void **state)
{
	struct iopt_config config = { .format = "vtd-ss", .levels = 5, .flags = IOPT_TRACKABLE };
	struct device device = { 0 };
	struct iopt_hw hw;

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	iopt_hw(device.domain, &hw);
	assert_int_equal(hw.levels, 5);
	assert_int_equal(iopt_posix_table_state(hw.root, NULL), IOPT_POSIX_LIVE);
	assert_int_equal(hw.vtd_ss.ssptptr, hw.root);
	assert_int_equal(hw.vtd_ss.aw, 3);
	assert_true(hw.vtd_ss.ssade);
	assert_true(hw.vtd_ss.pwsnp);
	assert_true(device_destroy(&device));

	config = (struct iopt_config){ .format = "x86-64", .levels = 5, .flags = IOPT_NONCOHERENT };
	assert_int_equal(device_create(&device, &config), 0);
	iopt_hw(device.domain, &hw);
	assert_int_equal(hw.x86_64.fsptptr, hw.root);
	assert_int_equal(hw.x86_64.fspm, 1);
	assert_int_equal(hw.x86_64.guest_paging_mode, 1);
	assert_false(hw.x86_64.pwsnp);
	assert_true(device_destroy(&device));

	/* IOPT_TRACK implies IOPT_TRACKABLE. */
	config = (struct iopt_config){ .format = "amd-v1", .levels = 2, .flags = IOPT_TRACK };
	assert_int_equal(device_create(&device, &config), 0);
	iopt_hw(device.domain, &hw);
	assert_int_equal(hw.amd_v1.root_ptr, hw.root);
	assert_int_equal(hw.amd_v1.mode, 2);
	assert_int_equal(hw.amd_v1.had, 3);
	assert_int_equal(iopt_track(device.domain, false), 0);
	assert_true(device_destroy(&device));
}

/* One table, the root, at its level; and nothing else was ever there. */
static void statistics_of_a_new_domain(void **state)
{
	struct iopt_config config = { .format = "x86-64" };
	struct device device = { 0 };
	struct iopt_stats stats;

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	memset(&stats, 0xff, sizeof(stats));
	iopt_stats(device.domain, &stats);
	for (unsigned level = 0; level < IOPT_MAX_LEVELS; level++)
		assert_int_equal(stats.live[level], level == 3);
	assert_int_equal(stats.tables, 1);
	assert_int_equal(stats.tables_peak, 1);
	assert_int_equal(stats.table_bytes, PAGE);
	assert_int_equal(stats.table_bytes_peak, PAGE);
	for (unsigned why = 0; why < IOPT_NR_FREED; why++)
		assert_int_equal(stats.freed[why], 0);
	assert_int_equal(stats.grown, 0);
	assert_true(device_destroy(&device));
}

/* Tables are counted as they come and go, by level; the peaks stay. */
static void statistics_follow_the_tables(void **state)
{
	(void)state;
	for (size_t i = usual(0); i < NR_FORMATS; i = usual(i + 1)) {
		struct iopt_config config = { .format = formats[i], .levels = 4, .iova_lg2 = 48 };
		const uint64_t beyond = hardware_of(formats[i])->full_top ? 3 * PAGE : 0;
		struct device device = { 0 };
		struct iopt_gather gather;
		struct iopt_stats stats;

		assert_int_equal(device_create(&device, &config), 0);
		assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, NULL), 0);
		assert_int_equal(iopt_map(device.domain, GIB, GIB + PAGE - 1, 0, RW, NULL), 0);
		iopt_stats(device.domain, &stats);
		assert_int_equal(stats.live[0], 2);
		assert_int_equal(stats.live[1], 2);
		assert_int_equal(stats.live[2], 1);
		assert_int_equal(stats.live[3], 1);
		assert_int_equal(stats.tables, 6);
		assert_int_equal(stats.table_bytes, 6 * PAGE + beyond);

		iopt_gather_init(&gather, device.domain, NULL);
		assert_int_equal(iopt_unmap(device.domain, 0, GIB - 1, 0, &gather, NULL), 0);
		iopt_sync(&gather);
		iopt_stats(device.domain, &stats);
		assert_int_equal(stats.live[0], 1);
		assert_int_equal(stats.live[1], 1);
		assert_int_equal(stats.tables, 4);
		assert_int_equal(stats.tables_peak, 6);
		assert_int_equal(stats.table_bytes, 4 * PAGE + beyond);
		assert_int_equal(stats.table_bytes_peak, 6 * PAGE + beyond);
		assert_int_equal(stats.freed[IOPT_FREED_UNMAP], 2);
		assert_int_equal(stats.freed[IOPT_FREED_BLOCK], 0);
		assert_int_equal(stats.freed[IOPT_FREED_RACE], 0);
		assert_true(device_destroy(&device));
	}
}

/* ---- reserves ------------------------------------------------------------------------------ */

static void reserve_refuses(void **state)
{
	struct iopt_config config = { .format = "vtd-ss", .levels = 3 };
	struct iopt_reserve reserve = { 0 };
	struct device device = { 0 };

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_reserve(device.domain, 1, PAGE - 1, &reserve), -EINVAL);
	assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 2, &reserve), -EINVAL);
	assert_int_equal(iopt_reserve(device.domain, PAGE, PAGE - 1, &reserve), -EINVAL);
	assert_int_equal(iopt_reserve(device.domain, 1ull << 39, (1ull << 39) + PAGE - 1, &reserve),
			 -ERANGE);
	assert_int_equal(iopt_reserve(device.domain, 0, (1ull << 39) + PAGE - 1, &reserve),
			 -ERANGE);
	assert_int_equal(reserve.nr_tables, 0);
	assert_null(reserve.tables);
	iopt_reserve_release(&reserve); /* empty: fine */
	assert_true(device_destroy(&device));
}

/*
 * The worst case, whatever is there: one table a level for a page, twice that across the border of
 * the top's entries. What is not used goes back.
 */
static void reserve_counts(void **state)
{
	struct iopt_config config = { .format = "vtd-ss", .levels = 4 };
	struct iopt_reserve reserve = { 0 };
	struct iopt_posix_memory memory;
	struct device device = { 0 };

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 1, &reserve), 0);
	assert_int_equal(reserve.nr_tables, 3);
	assert_int_equal(iopt_reserve(device.domain, (1ull << 39) - PAGE, (1ull << 39) + PAGE - 1,
				      &reserve),
			 0);
	assert_int_equal(reserve.nr_tables, 3 + 6);
	iopt_posix_memory(&memory);
	assert_int_equal(memory.tables, 1 + 9);
	iopt_reserve_release(&reserve);
	assert_int_equal(reserve.nr_tables, 0);
	assert_null(reserve.tables);
	iopt_posix_memory(&memory);
	assert_int_equal(memory.tables, 1);
	assert_true(device_destroy(&device));
}

/*
 * Maps out of the reserve, growth of the top included, until it is empty, and never from the
 * host.
 */
static void reserve_is_enough(void **state)
{
	struct iopt_config config = { .format = "amd-v1", .levels = 1 };
	const uint64_t first = (1ull << 57) - PAGE, last = (1ull << 57) + PAGE - 1;
	struct iopt_reserve reserve = { 0 };
	struct device device = { 0 };
	uint64_t used;

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_reserve(device.domain, first, last, &reserve), 0);
	iopt_posix_fail(1, true);
	assert_int_equal(iopt_map(device.domain, first, last, 0, RW, &reserve), 0);
	assert_int_equal(iopt_posix_fail(0, false), 0);
	used = count_items(device.domain, 0, ~0ull, IOPT_VISIT_TABLES) - 1;
	/* Two ways down from a top of six levels, and the five tables that made it one. */
	assert_int_equal(used, 5 + 5 + 4);
	iopt_reserve_release(&reserve);
	assert_true(device_destroy(&device));
}

static void reserve_that_ran_out(void **state)
{
	struct iopt_config config = { .format = "vtd-ss" };
	struct iopt_reserve reserve = { 0 };
	struct iopt_translation t;
	struct device device = { 0 };

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, &reserve), -ENOMEM);
	assert_int_equal(iopt_translate(device.domain, 0, &t), -ENOENT);
	assert_int_equal(iopt_reserve(device.domain, 0, PAGE - 1, &reserve), 0);
	assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, &reserve), 0);
	assert_int_equal(reserve.nr_tables, 0);
	/* The tables are in place: none is needed. */
	assert_int_equal(iopt_map(device.domain, PAGE, 2 * PAGE - 1, 0, RW, &reserve), 0);
	/* One table would be needed, and what was set aside is not lost by failing. */
	assert_int_equal(iopt_map(device.domain, 2 * MIB, 2 * MIB + PAGE - 1, 0, RW, &reserve),
			 -ENOMEM);
	assert_true(device_destroy(&device));
}

/*
 * One that says how to allocate: what was set aside comes first, then the host is asked for what is
 * needed and no more. A map that fails for it changes nothing, and what it got is in the reserve.
 */
static void reserve_that_asks(void **state)
{
	struct iopt_config config = { .format = "vtd-ss", .levels = 4 };
	const uint64_t far = 1ull << 39;
	struct iopt_reserve reserve = { .how = 1 };
	struct iopt_translation t;
	struct device device = { 0 };

	(void)state;
	assert_int_equal(device_create(&device, &config), 0);
	iopt_posix_fail(3, false);
	assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, &reserve), -ENOMEM);
	assert_int_equal(iopt_posix_fail(0, false), 3);
	assert_int_equal(iopt_translate(device.domain, 0, &t), -ENOENT);
	assert_int_equal(reserve.nr_tables, 2);
	assert_int_equal(iopt_map(device.domain, 0, PAGE - 1, 0, RW, &reserve), 0);
	assert_int_equal(iopt_posix_fail(0, false), 1);
	assert_int_equal(reserve.nr_tables, 0);
	assert_null(reserve.tables);

	/* Set aside: not one is asked for. */
	assert_int_equal(iopt_reserve(device.domain, far, far + PAGE - 1, &reserve), 0);
	assert_int_equal(iopt_posix_fail(0, false), 3);
	assert_int_equal(iopt_map(device.domain, far, far + PAGE - 1, 0, RW, &reserve), 0);
	assert_int_equal(iopt_posix_fail(0, false), 0);
	assert_int_equal(reserve.nr_tables, 0);
	assert_true(device_destroy(&device));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_numbers),
		cmocka_unit_test(formats_by_name_and_number),
		cmocka_unit_test(unknown_format),
		cmocka_unit_test(numbers_of_levels),
		cmocka_unit_test(levels_and_most_levels),
		cmocka_unit_test(address_widths),
		cmocka_unit_test(page_sizes),
		cmocka_unit_test(flags),
		cmocka_unit_test(bbm_levels),
		cmocka_unit_test(missing_callbacks),
		cmocka_unit_test(destroy_nothing),
		cmocka_unit_test(widths),
		cmocka_unit_test(hardware_is_told),
		cmocka_unit_test(statistics_of_a_new_domain),
		cmocka_unit_test(statistics_follow_the_tables),
		cmocka_unit_test(reserve_refuses),
		cmocka_unit_test(reserve_counts),
		cmocka_unit_test(reserve_is_enough),
		cmocka_unit_test(reserve_that_ran_out),
		cmocka_unit_test(reserve_that_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
