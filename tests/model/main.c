/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The model test's options and configurations: see model.h. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/model.h"

#define OPS_DEFAULT 1050000u
#define SIZE(lg2)   (1ull << (lg2))
#define TRACK	    IOPT_TRACK

/* Every format and number of levels, sizes left out, widths, and what the flags change. */
static const struct config configs[] = {
	{ .name = "vtd-ss,3", .format = "vtd-ss", .levels = 3, .flags = TRACK },
	{ .name = "vtd-ss,4", .format = "vtd-ss", .levels = 4, .flags = TRACK },
	{ .name = "vtd-ss,5", .format = "vtd-ss", .levels = 5, .flags = TRACK },
	{ .name = "vtd-ss,4,untracked", .format = "vtd-ss", .levels = 4 },
	{ .name = "vtd-ss,4,4K",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) },
	{ .name = "vtd-ss,4,4K+2M",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = IOPT_TRACKABLE,
	  .page_sizes = SIZE(12) | SIZE(21) },
	{ .name = "vtd-ss,3,4K+1G",
	  .format = "vtd-ss",
	  .levels = 3,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(30) },
	{ .name = "vtd-ss,4,narrow",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = TRACK,
	  .iova_lg2 = 41,
	  .pa_lg2 = 36 },
	{ .name = "vtd-ss,4,caches-empty",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = TRACK | IOPT_CACHES_EMPTY },
	{ .name = "vtd-ss,4,noncoherent",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = IOPT_NONCOHERENT },
	{ .name = "vtd-ss,4,split", .format = "vtd-ss", .levels = 4, .flags = TRACK | IOPT_SPLIT },
	{ .name = "vtd-ss,4,split,skip",
	  .format = "vtd-ss",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT | IOPT_ACCESSED_TABLES },

	{ .name = "x86-64,4", .format = "x86-64", .levels = 4, .flags = TRACK },
	{ .name = "x86-64,5", .format = "x86-64", .levels = 5, .flags = TRACK },
	{ .name = "x86-64,4,sign",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "x86-64,5,sign",
	  .format = "x86-64",
	  .levels = 5,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "x86-64,4,untracked", .format = "x86-64", .levels = 4 },
	{ .name = "x86-64,4,sign,4K",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = IOPT_TRACKABLE | IOPT_SIGN_EXTEND,
	  .page_sizes = SIZE(12) },
	{ .name = "x86-64,5,sign,narrow",
	  .format = "x86-64",
	  .levels = 5,
	  .iova_lg2 = 50,
	  .pa_lg2 = 46,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "x86-64,4,4K+1G",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(30) },
	{ .name = "x86-64,4,caches-empty",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = IOPT_CACHES_EMPTY },
	{ .name = "x86-64,4,sign,noncoherent",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = IOPT_NONCOHERENT | IOPT_SIGN_EXTEND },
	{ .name = "x86-64,4,sign,split,skip",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = TRACK | IOPT_SIGN_EXTEND | IOPT_SPLIT | IOPT_ACCESSED_TABLES },
	{ .name = "x86-64,5,skip",
	  .format = "x86-64",
	  .levels = 5,
	  .flags = IOPT_TRACKABLE | IOPT_ACCESSED_TABLES },
	{ .name = "x86-64,4,split,noncoherent",
	  .format = "x86-64",
	  .levels = 4,
	  .flags = IOPT_SPLIT | IOPT_NONCOHERENT },

	{ .name = "amd-v1,1", .format = "amd-v1", .levels = 1, .max_levels = 1, .flags = TRACK },
	{ .name = "amd-v1,2", .format = "amd-v1", .levels = 2, .max_levels = 2, .flags = TRACK },
	{ .name = "amd-v1,3", .format = "amd-v1", .levels = 3, .max_levels = 3, .flags = TRACK },
	{ .name = "amd-v1,4", .format = "amd-v1", .levels = 4, .max_levels = 4, .flags = TRACK },
	{ .name = "amd-v1,5", .format = "amd-v1", .levels = 5, .max_levels = 5, .flags = TRACK },
	{ .name = "amd-v1,6", .format = "amd-v1", .levels = 6, .max_levels = 6, .flags = TRACK },
	{ .name = "amd-v1,1+", .format = "amd-v1", .levels = 1, .flags = TRACK },
	{ .name = "amd-v1,2+", .format = "amd-v1", .levels = 2, .flags = TRACK },
	{ .name = "amd-v1,3+", .format = "amd-v1", .levels = 3, .flags = IOPT_TRACKABLE },
	{ .name = "amd-v1,4+", .format = "amd-v1", .levels = 4, .flags = TRACK },
	{ .name = "amd-v1,5+", .format = "amd-v1", .levels = 5 },
	{ .name = "amd-v1,1+,4K",
	  .format = "amd-v1",
	  .levels = 1,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) },
	{ .name = "amd-v1,3+,4K+2M+1G",
	  .format = "amd-v1",
	  .levels = 3,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(21) | SIZE(30) },
	{ .name = "amd-v1,3+,odd sizes",
	  .format = "amd-v1",
	  .levels = 3,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(14) | SIZE(20) | SIZE(25) | SIZE(38) | SIZE(49) },
	{ .name = "amd-v1,2+,narrow",
	  .format = "amd-v1",
	  .levels = 2,
	  .iova_lg2 = 45,
	  .pa_lg2 = 40,
	  .flags = TRACK },
	{ .name = "amd-v1,3+,caches-empty",
	  .format = "amd-v1",
	  .levels = 3,
	  .flags = TRACK | IOPT_CACHES_EMPTY },
	{ .name = "amd-v1,3+,split", .format = "amd-v1", .levels = 3, .flags = TRACK | IOPT_SPLIT },
	{ .name = "amd-v1,1+,split,4K+2M+1G",
	  .format = "amd-v1",
	  .levels = 1,
	  .flags = TRACK | IOPT_SPLIT,
	  .page_sizes = SIZE(12) | SIZE(21) | SIZE(30) },
	{ .name = "amd-v1,6,split,untracked",
	  .format = "amd-v1",
	  .levels = 6,
	  .max_levels = 6,
	  .flags = IOPT_SPLIT },
	{ .name = "amd-v1,2+,noncoherent",
	  .format = "amd-v1",
	  .levels = 2,
	  .flags = IOPT_NONCOHERENT },

	{ .name = "riscv-s1,3", .format = "riscv-s1", .levels = 3, .flags = TRACK },
	{ .name = "riscv-s1,4", .format = "riscv-s1", .levels = 4, .flags = TRACK },
	{ .name = "riscv-s1,5", .format = "riscv-s1", .levels = 5, .flags = TRACK },
	{ .name = "riscv-s1,3,sign",
	  .format = "riscv-s1",
	  .levels = 3,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "riscv-s1,4,sign",
	  .format = "riscv-s1",
	  .levels = 4,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "riscv-s1,5,sign,narrow",
	  .format = "riscv-s1",
	  .levels = 5,
	  .iova_lg2 = 50,
	  .pa_lg2 = 46,
	  .flags = TRACK | IOPT_SIGN_EXTEND },
	{ .name = "riscv-s1,4,untracked", .format = "riscv-s1", .levels = 4 },
	{ .name = "riscv-s1,4,no runs",
	  .format = "riscv-s1",
	  .levels = 4,
	  .flags = IOPT_TRACKABLE,
	  .page_sizes = SIZE(12) | SIZE(21) | SIZE(30) | SIZE(39) },
	{ .name = "riscv-s1,4,4K+64K",
	  .format = "riscv-s1",
	  .levels = 4,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(16) },
	{ .name = "riscv-s1,4,sign,split",
	  .format = "riscv-s1",
	  .levels = 4,
	  .flags = TRACK | IOPT_SIGN_EXTEND | IOPT_SPLIT },
	{ .name = "riscv-s1,4,caches-empty",
	  .format = "riscv-s1",
	  .levels = 4,
	  .flags = IOPT_CACHES_EMPTY },
	{ .name = "riscv-s1,3,split,noncoherent",
	  .format = "riscv-s1",
	  .levels = 3,
	  .flags = IOPT_SPLIT | IOPT_NONCOHERENT },

	{ .name = "riscv-g,3", .format = "riscv-g", .levels = 3, .flags = TRACK },
	{ .name = "riscv-g,4", .format = "riscv-g", .levels = 4, .flags = TRACK },
	{ .name = "riscv-g,5", .format = "riscv-g", .levels = 5, .flags = TRACK },
	{ .name = "riscv-g,3,narrow",
	  .format = "riscv-g",
	  .levels = 3,
	  .iova_lg2 = 38,
	  .pa_lg2 = 42,
	  .flags = TRACK | IOPT_SPLIT },
	{ .name = "riscv-g,3,1G at the top",
	  .format = "riscv-g",
	  .levels = 3,
	  .flags = TRACK | IOPT_SPLIT,
	  .page_sizes = SIZE(12) | SIZE(21) | SIZE(30) },
	{ .name = "riscv-g,4,untracked,split",
	  .format = "riscv-g",
	  .levels = 4,
	  .flags = IOPT_SPLIT },
	{ .name = "riscv-g,3,caches-empty,noncoherent",
	  .format = "riscv-g",
	  .levels = 3,
	  .flags = IOPT_CACHES_EMPTY | IOPT_NONCOHERENT },
	{ .name = "arm-s1,2", .format = "arm-s1", .levels = 2, .flags = TRACK, .bbm = 2 },
	{ .name = "arm-s1,3,split",
	  .format = "arm-s1",
	  .levels = 3,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s1,4", .format = "arm-s1", .levels = 4, .flags = TRACK, .bbm = 2 },
	{ .name = "arm-s1,4,upper",
	  .format = "arm-s1",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT | IOPT_UPPER,
	  .bbm = 2 },
	{ .name = "arm-s1,4,upper,narrow",
	  .format = "arm-s1",
	  .levels = 4,
	  .iova_lg2 = 40,
	  .pa_lg2 = 40,
	  .flags = IOPT_TRACKABLE | IOPT_UPPER,
	  .bbm = 1 },
	{ .name = "arm-s1,4,runs for good",
	  .format = "arm-s1",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT,
	  .page_sizes = SIZE(12) | SIZE(16) | SIZE(21) | SIZE(25) },
	{ .name = "arm-s1,4,untracked,split",
	  .format = "arm-s1",
	  .levels = 4,
	  .flags = IOPT_SPLIT | IOPT_NONCOHERENT,
	  .bbm = 2 },
	{ .name = "arm-s1,3,4K+2M+32M",
	  .format = "arm-s1",
	  .levels = 3,
	  .flags = TRACK,
	  .page_sizes = SIZE(12) | SIZE(21) | SIZE(25),
	  .bbm = 2 },

	{ .name = "arm-s2,3", .format = "arm-s2", .levels = 3, .flags = TRACK, .bbm = 2 },
	{ .name = "arm-s2,3,one more",
	  .format = "arm-s2",
	  .levels = 3,
	  .iova_lg2 = 40,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2,4,split",
	  .format = "arm-s2",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2,2,untracked", .format = "arm-s2", .levels = 2 },
	{ .name = "arm-s2,4,narrow,noncoherent",
	  .format = "arm-s2",
	  .levels = 4,
	  .iova_lg2 = 44,
	  .flags = IOPT_SPLIT | IOPT_NONCOHERENT,
	  .bbm = 2 },

	{ .name = "arm-s1-16k,4",
	  .format = "arm-s1-16k",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s1-16k,3,upper",
	  .format = "arm-s1-16k",
	  .levels = 3,
	  .iova_lg2 = 40,
	  .flags = IOPT_TRACKABLE | IOPT_UPPER,
	  .bbm = 2 },
	{ .name = "arm-s1-16k,2",
	  .format = "arm-s1-16k",
	  .levels = 2,
	  .flags = IOPT_SPLIT,
	  .bbm = 2 },

	{ .name = "arm-s1-64k,3",
	  .format = "arm-s1-64k",
	  .levels = 3,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s1-64k,3,48 bits",
	  .format = "arm-s1-64k",
	  .levels = 3,
	  .iova_lg2 = 48,
	  .pa_lg2 = 48,
	  .flags = TRACK,
	  .bbm = 2 },
	{ .name = "arm-s1-64k,2,upper",
	  .format = "arm-s1-64k",
	  .levels = 2,
	  .flags = IOPT_UPPER | IOPT_NONCOHERENT,
	  .bbm = 2 },

	{ .name = "arm-s1-lpa2,5",
	  .format = "arm-s1-lpa2",
	  .levels = 5,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s1-lpa2,4", .format = "arm-s1-lpa2", .levels = 4, .flags = TRACK, .bbm = 2 },
	{ .name = "arm-s1-lpa2,5,upper",
	  .format = "arm-s1-lpa2",
	  .levels = 5,
	  .iova_lg2 = 50,
	  .flags = IOPT_UPPER,
	  .bbm = 2 },

	{ .name = "arm-s1-16k-lpa2,4",
	  .format = "arm-s1-16k-lpa2",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s1-16k-lpa2,3", .format = "arm-s1-16k-lpa2", .levels = 3, .bbm = 0 },

	{ .name = "arm-s2-16k,3",
	  .format = "arm-s2-16k",
	  .levels = 3,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2-16k,2",
	  .format = "arm-s2-16k",
	  .levels = 2,
	  .iova_lg2 = 40,
	  .flags = IOPT_TRACKABLE,
	  .bbm = 2 },

	{ .name = "arm-s2-64k,3",
	  .format = "arm-s2-64k",
	  .levels = 3,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2-64k,2,48 bits",
	  .format = "arm-s2-64k",
	  .levels = 2,
	  .pa_lg2 = 48,
	  .flags = IOPT_NONCOHERENT,
	  .bbm = 2 },

	{ .name = "arm-s2-lpa2,5",
	  .format = "arm-s2-lpa2",
	  .levels = 5,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2-lpa2,4", .format = "arm-s2-lpa2", .levels = 4, .flags = TRACK, .bbm = 2 },

	{ .name = "arm-s2-16k-lpa2,4",
	  .format = "arm-s2-16k-lpa2",
	  .levels = 4,
	  .flags = TRACK | IOPT_SPLIT,
	  .bbm = 2 },
	{ .name = "arm-s2-16k-lpa2,3",
	  .format = "arm-s2-16k-lpa2",
	  .levels = 3,
	  .flags = IOPT_SPLIT,
	  .bbm = 2 },

	{ .name = "arm-v7s-mtk", .format = "arm-v7s-mtk" },
	{ .name = "arm-v7s-mtk,34",
	  .format = "arm-v7s-mtk",
	  .pa_lg2 = 34,
	  .flags = IOPT_CACHES_EMPTY | IOPT_NONCOHERENT },

	{ .name = "arm-lpae32-s1,3", .format = "arm-lpae32-s1", .levels = 3 },
	{ .name = "arm-lpae32-s1,2",
	  .format = "arm-lpae32-s1",
	  .levels = 2,
	  .flags = IOPT_NONCOHERENT },
	{ .name = "arm-lpae32-s2,3", .format = "arm-lpae32-s2", .levels = 3 },
	{ .name = "arm-lpae32-s2,2",
	  .format = "arm-lpae32-s2",
	  .levels = 2,
	  .iova_lg2 = 32,
	  .pa_lg2 = 36,
	  .flags = IOPT_CACHES_EMPTY },

	{ .name = "arm-mali", .format = "arm-mali" },
	{ .name = "arm-mali,noncoherent",
	  .format = "arm-mali",
	  .iova_lg2 = 40,
	  .flags = IOPT_NONCOHERENT },

	{ .name = "arm-v7s", .format = "arm-v7s" },
	{ .name = "arm-v7s,30", .format = "arm-v7s", .pa_lg2 = 30 },
	{ .name = "arm-v7s,no-runs", .format = "arm-v7s", .page_sizes = 1ull << 12 | 1ull << 20 },
	{ .name = "arm-v7s,caches-empty", .format = "arm-v7s", .flags = IOPT_CACHES_EMPTY },
	{ .name = "arm-v7s,noncoherent", .format = "arm-v7s", .flags = IOPT_NONCOHERENT },

	{ .name = "apple-dart", .format = "apple-dart" },
	{ .name = "apple-dart,32", .format = "apple-dart", .iova_lg2 = 32 },
	{ .name = "apple-dart,caches-empty",
	  .format = "apple-dart",
	  .iova_lg2 = 32,
	  .flags = IOPT_CACHES_EMPTY },

	{ .name = "apple-dart-4k", .format = "apple-dart-4k" },
	{ .name = "apple-dart-4k,31", .format = "apple-dart-4k", .iova_lg2 = 31 },
	{ .name = "apple-dart-4k,24", .format = "apple-dart-4k", .iova_lg2 = 24, .pa_lg2 = 32 },
	{ .name = "apple-dart-4k,caches-empty",
	  .format = "apple-dart-4k",
	  .flags = IOPT_CACHES_EMPTY },

	{ .name = "apple-dart2,2", .format = "apple-dart2", .levels = 2 },
	{ .name = "apple-dart2,3", .format = "apple-dart2", .levels = 3 },
	{ .name = "apple-dart2,3,split",
	  .format = "apple-dart2",
	  .levels = 3,
	  .iova_lg2 = 40,
	  .flags = IOPT_SPLIT },
	{ .name = "apple-dart2,3,caches-empty",
	  .format = "apple-dart2",
	  .levels = 3,
	  .flags = IOPT_CACHES_EMPTY },
	{ .name = "apple-dart2,2,noncoherent",
	  .format = "apple-dart2",
	  .levels = 2,
	  .flags = IOPT_NONCOHERENT },
};

#define NR_CONFIGS (sizeof(configs) / sizeof(configs[0]))

struct options {
	uint64_t seed;
	uint64_t ops;
	const char *format;
	const char *config;
	const char *replay;
};

static const struct argp_option argp_options[] = {
	{ "seed", 's', "N", 0, "first seed (default: 1; 0: the time)", 0 },
	{ "ops", 'n', "N", 0, "operations, over all configurations together", 0 },
	{ "format", 'f', "NAME", 0, "only configurations of this format", 0 },
	{ "config", 'c', "NAME", 0, "only this configuration", 0 },
	{ "replay", 'r', "FILE", 0, "run the operations of a file, as printed by a failure", 0 },
	{ "list", 'l', NULL, 0, "list the configurations", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *end = NULL;

	switch (key) {
	case 's': options->seed = strtoull(arg, &end, 0); break;
	case 'n': options->ops = strtoull(arg, &end, 0); break;
	case 'f': options->format = arg; return 0;
	case 'c': options->config = arg; return 0;
	case 'r': options->replay = arg; return 0;
	case 'l':
		for (size_t i = 0; i < NR_CONFIGS; i++)
			puts(configs[i].name);
		exit(EXIT_SUCCESS);
	default: return ARGP_ERR_UNKNOWN;
	}
	if (end == arg || *end)
		argp_error(state, "'%s' is not a number", arg);
	return 0;
}

static bool chosen(const struct options *options, const struct config *config)
{
	return (!options->format || !strcmp(options->format, config->format)) &&
	       (!options->config || !strcmp(options->config, config->name));
}

static const struct config *config_named(const char *name)
{
	for (size_t i = 0; i < NR_CONFIGS; i++)
		if (!strcmp(configs[i].name, name))
			return &configs[i];
	return NULL;
}

static void print_failure(struct trial *trial, const struct config *config)
{
	printf("model: %s, seed %ju, operation %u: %s\n", config->name, (uintmax_t)trial->seed,
	       trial->nr, trial->message);
	fflush(stdout);
	trial_shrink(trial, config);
	printf("model: the same in %u operations, to be run again with --replay: %s\n", trial->nr,
	       trial->message);
	printf("config %s\n", config->name);
	for (unsigned i = 0; i < trial->nr; i++)
		op_print(stdout, &trial->ops[i]);
}

static int run_all(struct trial *trial, const struct options *options)
{
	unsigned failures = 0, nr = 0;

	for (size_t i = 0; i < NR_CONFIGS; i++)
		nr += chosen(options, &configs[i]);
	if (!nr) {
		fputs("model: no such configuration, see --list\n", stderr);
		return 2;
	}
	printf("model: seed %ju\n", (uintmax_t)options->seed);
	for (size_t i = 0; i < NR_CONFIGS; i++) {
		if (!chosen(options, &configs[i]))
			continue;
		if (trials_random(trial, &configs[i], options->seed, options->ops / nr + 1)) {
			printf("ok %s: %ju operations\n", configs[i].name, (uintmax_t)trial->done);
			continue;
		}
		print_failure(trial, &configs[i]);
		failures++;
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* One line of what a failure prints. Returns whether it is one. */
static bool replay_line(struct trial *trial, const char *line, const struct config **config)
{
	static const char prefix[] = "config ";

	if (!strncmp(line, prefix, strlen(prefix))) {
		*config = config_named(line + strlen(prefix));
		return *config;
	}
	if (!*line || *line == '#')
		return true;
	return trial->nr < MAX_OPS && op_parse(line, &trial->ops[trial->nr++]);
}

static const struct config *replay_read(struct trial *trial, FILE *file, const char *name)
{
	const struct config *config = NULL;
	unsigned number = 0;
	char line[256];

	trial->nr = 0;
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = 0;
		if (!replay_line(trial, line, &config)) {
			fprintf(stderr, "model: %s:%u: expected 'config NAME' or an operation\n",
				name, number);
			return NULL;
		}
	}
	if (!config || !trial->nr) {
		fprintf(stderr, "model: %s: expected 'config NAME' and operations\n", name);
		return NULL;
	}
	return config;
}

static int replay(struct trial *trial, const char *name)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "r") : stdin;
	const struct config *config;

	if (!file) {
		perror(name);
		return 2;
	}
	config = replay_read(trial, file, name);
	if (file != stdin)
		fclose(file);
	if (!config)
		return 2;
	if (trial_again(trial, config)) {
		printf("ok %s: %u operations\n", config->name, trial->nr);
		return EXIT_SUCCESS;
	}
	printf("model: %s: %s\n", config->name, trial->message);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		argp_options, parse, NULL, "Random operations on the engine and on a model of it.",
		NULL,	      NULL,  NULL
	};
	struct options options = { .seed = 1, .ops = OPS_DEFAULT };
	struct trial *trial = trial_new();

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (!trial) {
		fputs("model: no memory\n", stderr);
		return 2;
	}
	if (!options.seed)
		options.seed = (uint64_t)time(NULL);
	return options.replay ? replay(trial, options.replay) : run_all(trial, &options);
}
