/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See kinds.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

/*
 * VT-d: reasons 5 and 6 are a write and a read without permission of a legacy-mode second stage, as
 * which an entry that is not present counts; 81h and 85h a first stage's entry that is not present, and one
 * that does not let the request (QEMU hw/i386/intel_iommu_internal.h, VTD_FR_*).
 */
const struct hw_kind hw_kinds[] = {
	{ "vtd-ss, 4 levels",
	  &hw_vtd_legacy,
	  { .format = "vtd-ss", .levels = 4 },
	  .absent = 5,
	  .refused = 5 },
	{ "vtd-ss, 3 levels",
	  &hw_vtd_legacy_39,
	  { .format = "vtd-ss", .levels = 3 },
	  .absent = 5,
	  .refused = 5 },
	{ "x86-64, 4 levels",
	  &hw_vtd_scalable,
	  { .format = "x86-64", .levels = 4, .flags = IOPT_SIGN_EXTEND },
	  .absent = 0x71,
	  .refused = 0x85 },
	{ "amd-v1, 1 level",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 1, .max_levels = 1 },
	  .absent = 2,
	  .refused = 2 },
	{ "amd-v1, 2 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 2, .max_levels = 2 },
	  .absent = 2,
	  .refused = 2 },
	{ "amd-v1, 3 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 3, .max_levels = 3 },
	  .absent = 2,
	  .refused = 2 },
	{ "amd-v1, 4 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 4, .max_levels = 4 },
	  .absent = 2,
	  .refused = 2 },
	{ "amd-v1, 5 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 5, .max_levels = 5 },
	  .absent = 2,
	  .refused = 2 },
	{ "amd-v1, 6 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 6, .max_levels = 6 },
	  .absent = 2,
	  .refused = 2 },
	{ "riscv-s1, 3 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 3, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15 },
	{ "riscv-s1, 4 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 4, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15 },
	{ "riscv-s1, 5 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 5, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15 },
	{ "riscv-g, 3 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 3 },
	  .absent = 23,
	  .refused = 23 },
	{ "riscv-g, 4 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 4 },
	  .absent = 23,
	  .refused = 23 },
	{ "riscv-g, 5 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 5 },
	  .absent = 23,
	  .refused = 23 },
	{ "arm-s1, 4 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 4, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s1, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 3, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s1-16k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-16k", .levels = 3, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s1-16k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-16k", .levels = 2, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s1-64k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 3, .iova_lg2 = 48, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s1-64k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 2, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2, 4 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2", .levels = 4, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2", .levels = 3, .iova_lg2 = 39, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2-16k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-16k", .levels = 3, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2-16k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-16k", .levels = 2, .iova_lg2 = 36, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2-64k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-64k", .levels = 3, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
	{ "arm-s2-64k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-64k", .levels = 2, .iova_lg2 = 42, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13 },
};

const size_t hw_nr_kinds = sizeof(hw_kinds) / sizeof(*hw_kinds);

#define MOST_KINDS 64u

uint64_t hw_seed(void)
{
	const char *seed = getenv("IOPT_TEST_SEED");

	return seed ? strtoull(seed, NULL, 0) : 1;
}

uint64_t hw_random(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

uint64_t hw_random_below(uint64_t *state, uint64_t nr)
{
	return hw_random(state) % nr;
}

int hw_run_kinds(const char *group, void (*test)(void **state))
{
	struct CMUnitTest tests[MOST_KINDS];
	const char *why = hw_available();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	if (hw_nr_kinds > MOST_KINDS)
		abort();
	for (size_t i = 0; i < hw_nr_kinds; i++)
		tests[i] = (struct CMUnitTest){ .name = hw_kinds[i].name,
						.test_func = test,
						.initial_state = (void *)&hw_kinds[i] };
	return _cmocka_run_group_tests(group, tests, hw_nr_kinds, NULL, NULL);
}
