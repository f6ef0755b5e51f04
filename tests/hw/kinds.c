/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See kinds.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

/*
 * Reasons of faults. VT-d: of a second stage in legacy mode, 5 is a write and 6 a read without
 * permission, as which an entry that is not present counts (Linux drivers/iommu/intel/dmar.c,
 * dma_remap_fault_reasons); of a first stage 71h is an entry that is not present, 85h one that does
 * not let it (QEMU hw/i386/intel_iommu_internal.h, VTD_FR_*). AMD: the event, 2 is a page fault.
 * RISC-V: causes 15 and 23, page faults of a write in the first and the second stage. SMMU: 10h
 * translation, 13h permission.
 */
const struct hw_kind hw_kinds[] = {
	{ "vtd-ss, 4 levels",
	  &hw_vtd_legacy,
	  { .format = "vtd-ss", .levels = 4 },
	  .absent = 5,
	  .refused = 5,
	  .unread = 6 },
	{ "vtd-ss, 3 levels of 4",
	  &hw_vtd_legacy,
	  { .format = "vtd-ss", .levels = 3 },
	  .absent = 5,
	  .refused = 5,
	  .unread = 6 },
	{ "vtd-ss, 3 levels",
	  &hw_vtd_legacy_39,
	  { .format = "vtd-ss", .levels = 3 },
	  .absent = 5,
	  .refused = 5,
	  .unread = 6 },
	{ "x86-64, 4 levels",
	  &hw_vtd_scalable,
	  { .format = "x86-64", .levels = 4, .flags = IOPT_SIGN_EXTEND },
	  .absent = 0x71,
	  .refused = 0x85,
	  .unread = 0 },
	{ "amd-v1, 1 level",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 1, .max_levels = 1 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 2 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 2, .max_levels = 2 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 3 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 3, .max_levels = 3 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 4 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 4, .max_levels = 4 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 5 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 5, .max_levels = 5 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 6 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 6, .max_levels = 6 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "amd-v1, 2 to 6 levels",
	  &hw_amd,
	  { .format = "amd-v1", .levels = 2, .max_levels = 6 },
	  .absent = 2,
	  .refused = 2,
	  .unread = 2 },
	{ "riscv-s1, 3 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 3, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15,
	  .unread = 0 },
	{ "riscv-s1, 4 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 4, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15,
	  .unread = 0 },
	{ "riscv-s1, 5 levels",
	  &hw_riscv,
	  { .format = "riscv-s1", .levels = 5, .flags = IOPT_SIGN_EXTEND },
	  .absent = 15,
	  .refused = 15,
	  .unread = 0 },
	{ "riscv-g, 3 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 3 },
	  .absent = 23,
	  .refused = 23,
	  .unread = 0 },
	{ "riscv-g, 4 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 4 },
	  .absent = 23,
	  .refused = 23,
	  .unread = 0 },
	{ "riscv-g, 5 levels",
	  &hw_riscv,
	  { .format = "riscv-g", .levels = 5 },
	  .absent = 23,
	  .refused = 23,
	  .unread = 0 },
	{ "arm-s1, 4 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 4, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 3, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1, upper",
	  &hw_smmuv3,
	  { .format = "arm-s1", .levels = 4, .pa_lg2 = 44, .flags = IOPT_UPPER, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1-64k, upper",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 2, .pa_lg2 = 44, .flags = IOPT_UPPER, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1-16k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-16k", .levels = 3, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1-16k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-16k", .levels = 2, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1-64k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 3, .iova_lg2 = 48, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s1-64k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s1-64k", .levels = 2, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2, 4 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2", .levels = 4, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2", .levels = 3, .iova_lg2 = 39, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2-16k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-16k", .levels = 3, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2-16k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-16k", .levels = 2, .iova_lg2 = 36, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2-64k, 3 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-64k", .levels = 3, .iova_lg2 = 44, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
	{ "arm-s2-64k, 2 levels",
	  &hw_smmuv3,
	  { .format = "arm-s2-64k", .levels = 2, .iova_lg2 = 42, .pa_lg2 = 44, .bbm = 2 },
	  .absent = 0x10,
	  .refused = 0x13,
	  .unread = 0x13 },
};

const size_t hw_nr_kinds = sizeof(hw_kinds) / sizeof(*hw_kinds);

#define MOST_KINDS 64u

uint64_t hw_seed(void)
{
	const char *seed = getenv("IOPT_TEST_SEED");

	return seed ? strtoull(seed, NULL, 0) : 1;
}

bool hw_missing(const char *why)
{
	if (why)
		puts(why);
	return why;
}

int hw_run_kinds(const char *group, void (*test)(void **state), const char *only)
{
	struct CMUnitTest tests[MOST_KINDS];
	size_t nr = 0;

	if (hw_missing(hw_available()))
		return 77;
	if (hw_nr_kinds > MOST_KINDS)
		abort();
	for (size_t i = 0; i < hw_nr_kinds; i++) {
		const struct hw_kind *kind = &hw_kinds[i];

		/* A build of few formats has not all of them. */
		if (!iopt_format_find(kind->config.format) || (only && strcmp(only, kind->name)))
			continue;
		tests[nr++] = (struct CMUnitTest){ .name = kind->name,
						   .test_func = test,
						   .initial_state = (void *)kind };
	}
	if (!nr) {
		printf("no kind '%s'\n", only);
		return 2;
	}
	return _cmocka_run_group_tests(group, tests, nr, NULL, NULL);
}
