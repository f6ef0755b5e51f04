/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * `iopt record --print`: the script that makes a recording for `iopt replay`, for somebody to read
 * and run as root on the machine in question. Nothing is run here.
 *
 * The probes carry what iommu:map and iommu:unmap lack, the domain. Functions and the order of
 * their arguments are those of Linux 6.12; all have the shape of struct iommu_domain_ops
 * (include/linux/ iommu.h): map_pages(domain, iova, paddr, pgsize, pgcount, ...),
 * unmap_pages(domain, iova, pgsize, pgcount, ...).
 */
#include <stdio.h>
#include <string.h>

#include "tools/iopt/command.h"

static const struct {
	const char *name;
	const char *map;
	const char *unmap;
	const char *registers[5];
	const char *remark;
} iommus[] = {
	/* drivers/iommu/intel/iommu.c */
	{ "intel",
	  "intel_iommu_map_pages",
	  "intel_iommu_unmap_pages",
	  { "%di", "%si", "%dx", "%cx", "%r8" },
	  "# The first argument is the domain.\n" },
	/* drivers/iommu/amd/iommu.c; for v1 and v2 tables */
	{ "amd",
	  "amd_iommu_map_pages",
	  "amd_iommu_unmap_pages",
	  { "%di", "%si", "%dx", "%cx", "%r8" },
	  "# The first argument is the domain.\n" },
	/* drivers/iommu/io-pgtable-arm.c */
	{ "arm",
	  "arm_lpae_map_pages",
	  "arm_lpae_unmap_pages",
	  { "%x0", "%x1", "%x2", "%x3", "%x4" },
	  "# The SMMU drivers' own functions have the same name twice (arm-smmu and arm-smmu-v3), "
	  "which\n"
	  "# a probe refuses. Those of the page table have one name; their first argument is the "
	  "domain's\n"
	  "# page table, one for each domain.\n" },
};

static const char head[] =
	"#!/bin/sh\n"
	"# Records the DMA mappings of this machine: iommu:map and iommu:unmap, and probes of the\n"
	"# driver that say which domain each belongs to. Run it as root:\n"
	"#\n"
	"#   sh record.sh FILE.gz [COMMAND [ARGUMENT...]]\n"
	"#\n"
	"# It records while COMMAND runs, or until Enter is pressed, and leaves tracing as it "
	"was.\n"
	"# Then: iopt replay FILE.gz\n"
	"#\n"
	"# With iommu.strict=1 on the kernel's command line unmaps are recorded when they happen "
	"and\n"
	"# IOVAs are reused at once. Devices behind a bypassed IOMMU (iommu=pt) record nothing.\n"
	"set -eu\n"
	"\n"
	"out=${1:?usage: sh record.sh FILE.gz [COMMAND [ARGUMENT...]]}\n"
	"shift\n"
	"tracing=/sys/kernel/tracing\n"
	"[ -d \"$tracing/events\" ] || tracing=/sys/kernel/debug/tracing\n"
	"if [ ! -d \"$tracing/events/iommu\" ]; then\n"
	"\techo \"record: no iommu events in $tracing: not root, or no IOMMU in this kernel\" >&2\n"
	"\texit 1\n"
	"fi\n"
	"\n"
	"# A buffer of its own: other users of tracing are not disturbed.\n"
	"instance=$tracing/instances/iopt\n"
	"\n"
	"clean_up()\n"
	"{\n"
	"\tif [ -d \"$instance\" ]; then\n"
	"\t\techo 0 >\"$instance/tracing_on\"\n"
	"\t\techo 0 >\"$instance/events/enable\"\n"
	"\t\trmdir \"$instance\"\n"
	"\tfi\n"
	"\tfor probe in dmap dunmap; do\n"
	"\t\tif [ -d \"$tracing/events/iopt/$probe\" ]; then\n"
	"\t\t\techo \"-:iopt/$probe\" >>\"$tracing/kprobe_events\"\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"trap clean_up EXIT\n"
	"trap 'exit 1' HUP INT TERM\n"
	"mkdir \"$instance\"\n"
	"\n"
	"# 64 MiB for each CPU hold about half a million events.\n"
	"echo 65536 >\"$instance/buffer_size_kb\"\n"
	"\n";

static const char tail[] =
	"\n"
	"for event in iommu/map iommu/unmap iopt/dmap iopt/dunmap; do\n"
	"\techo 1 >\"$instance/events/$event/enable\"\n"
	"done\n"
	"\n"
	"if [ $# -gt 0 ]; then\n"
	"\t\"$@\" || echo \"record: $1 failed with $?\" >&2\n"
	"else\n"
	"\techo \"recording; press Enter to stop\" >&2\n"
	"\t"
	"read -r _ || :\n"
	"fi\n"
	"echo 0 >\"$instance/tracing_on\"\n"
	"\n"
	"# Events are written to a disk only now: writing makes events too.\n"
	"gzip -c <\"$instance/trace\" >\"$out.part\"\n"
	"mv \"$out.part\" \"$out\"\n"
	"cat \"$instance\"/per_cpu/cpu*/stats |\n"
	"\t"
	"awk '$1 == \"overrun:\" { lost += $2 } END {\n"
	"\t\tif (lost) print \"record: \" lost \" events did not fit and are lost\" }' >&2\n";

struct arguments {
	bool print;
	size_t iommu;
};

static error_t parser(int key, char *arg, struct argp_state *state)
{
	const size_t nr = sizeof(iommus) / sizeof(iommus[0]);
	struct arguments *arguments = state->input;

	switch (key) {
	case 'p': arguments->print = true; return 0;
	case 'i':
		for (size_t i = 0; i < nr; i++) {
			if (!strcmp(arg, iommus[i].name)) {
				arguments->iommu = i;
				return 0;
			}
		}
		usage_error("iopt record", "--iommu: '%s', expected intel, amd or arm", arg);
	case ARGP_KEY_ARG:
		usage_error("iopt record", "unexpected argument '%s', expected none", arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "print", 'p', NULL, 0, "print the script", 0 },
	{ "iommu", 'i', "WHICH", 0, "whose driver: intel, amd or arm (intel)", 0 },
	{ 0 },
};

static const struct argp argp = {
	options,
	parser,
	NULL,
	"Print the script of tracefs commands that records a machine's DMA mappings for `iopt "
	"replay'. "
	"It is only printed: read it, then run it as root on that machine.",
	NULL,
	NULL,
	NULL,
};

int command_record(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	const char *const *reg;

	parse_arguments(&argp, argc, argv, 0, NULL, &arguments);
	if (!arguments.print)
		usage_error("iopt record", "nothing to do, expected --print");
	reg = iommus[arguments.iommu].registers;
	fputs(head, stdout);
	fputs(iommus[arguments.iommu].remark, stdout);
	printf("cat >>\"$tracing/kprobe_events\" <<'EOF'\n"
	       "p:iopt/dmap %s domain=%s:x64 iova=%s:x64 paddr=%s:x64 pgsize=%s:x64 count=%s:u64\n"
	       "p:iopt/dunmap %s domain=%s:x64 iova=%s:x64 pgsize=%s:x64 count=%s:u64\n"
	       "EOF\n",
	       iommus[arguments.iommu].map, reg[0], reg[1], reg[2], reg[3], reg[4],
	       iommus[arguments.iommu].unmap, reg[0], reg[1], reg[2], reg[3]);
	fputs(tail, stdout);
	return EXIT_OKAY;
}
