/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program of somebody who only has the installed headers and library; compiled as C and as C++.
 * Maps, looks up and unmaps a page in every format.
 */
#include <stdio.h>
#include <string.h>

#include <iopt/iopt.h>
#include <iopt/posix.h>

static unsigned invalidations;

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	(void)ctx;
	(void)gather;
	invalidations++;
}

static void top_changed(void *ctx, struct iopt_domain *domain)
{
	(void)ctx;
	(void)domain;
}

static int use(const struct iopt_format_info *info)
{
	struct iopt_translation result;
	struct iopt_domain *domain;
	struct iopt_gather gather;
	struct iopt_config config;
	const uint64_t page = info->page_sizes & -info->page_sizes;
	const uint64_t first = 0x200000, last = first + page - 1, pa = 0x12340000;

	memset(&config, 0, sizeof(config));
	config.format = info->name;
	config.callbacks.invalidate = invalidate;
	if (info->abilities & IOPT_CAN_GROW)
		config.callbacks.top_changed = top_changed;

	if (iopt_create(&config, &domain) != 0)
		return 1;
	if (iopt_map(domain, first, last, pa, IOPT_READ | IOPT_WRITE, NULL) != 0)
		return 2;
	if (iopt_translate(domain, first + 0x123, &result) != 0 || result.pa != pa + 0x123)
		return 3;

	invalidations = 0;
	iopt_gather_init(&gather, domain, NULL);
	if (iopt_unmap(domain, first, last, 0, &gather, NULL) != 0)
		return 4;
	iopt_sync(&gather);
	if (invalidations != 1)
		return 5;
	if (iopt_translate(domain, first, &result) == 0)
		return 6;
	iopt_destroy(domain);
	return 0;
}

int main(void)
{
	const struct iopt_format_info *info;
	size_t i;

	for (i = 0; (info = iopt_format_info(i)) != NULL; i++) {
		int error = use(info);

		if (error != 0) {
			fprintf(stderr, "%s: step %d failed\n", info->name, error);
			return 1;
		}
	}
	return i == 0;
}
