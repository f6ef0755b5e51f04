/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See check.h: the kinds of findings, why they matter and who says so; counting them. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/check.h"

/* Whose rules a table goes by; and of what leads to tables, whose rules the unit goes by. */
enum family { VTD_SS, X86_64, AMD_V1, ARM, RISCV, FAMILIES };

/* How tables are walked, for kinds that are about the way through them. */
/* clang-format off */
#define WALKS { \
	"Intel VT-d, section 3.7, table 4", \
	"Intel VT-d, section 3.6, table 3", \
	"VirtualBox DevIommuAmd.cpp, iommuAmdWalkIoPageTable()", \
	"QEMU target/arm/ptw.c, get_phys_addr_lpae()", \
	"RISC-V privileged architecture, \"Sv32\", translation process", \
}
/* clang-format on */

static const char linux_identity[] = "Linux 6.12 include/linux/iommu.h, IOMMU_DOMAIN_IDENTITY";
static const char linux_direct[] = "Linux 6.12 include/linux/iommu.h, IOMMU_RESV_DIRECT";
static const char linux_isolation[] = "Linux 6.12 include/linux/iommu.h, IOMMU_DOMAIN_BLOCKED";

/**
 * struct kind - what there is to say of a kind
 * @source: who says so, where that is not a matter of the format
 * @sources: where it is
 */
struct kind {
	const char *name;
	enum check_severity severity;
	const char *title;
	const char *why;
	const char *source;
	const char *sources[FAMILIES];
};

static const struct kind kinds[CHECK_KINDS] = {
	[CHECK_UNIT_OFF] = {
		"unit-off", CHECK_ERROR, "the unit does not translate",
		"All devices reach all of memory, whatever the tables say.",
		"Linux 6.12 drivers/iommu: DMA_GSTS_TES (Intel), CONTROL_IOMMU_EN (AMD), "
		"CR0_SMMUEN (Arm), RISCV_IOMMU_DDTP_IOMMU_MODE_BARE", { NULL },
	},
	[CHECK_RESERVED_BITS] = {
		"reserved-bits", CHECK_ERROR, "a reserved bit is set",
		"The hardware faults on all that the entry translates, or will give the bit a "
		"meaning one day.",
		NULL,
		{ "Intel VT-d, section 9.8, tables 41 to 47",
		  "Intel VT-d, section 9.7, tables 34 to 40",
		  "VirtualBox iommu-amd.h, IOMMU_PTE_RSVD_MASK, IOMMU_PDE_RSVD_MASK",
		  "Linux drivers/iommu/generic_pt/fmt/armv8.h, ARMV8PT_FMT_*",
		  "RISC-V privileged architecture, \"Sv32\", \"Svnapot\" and \"Svpbmt\"" },
	},
	[CHECK_MISALIGNED] = {
		"misaligned", CHECK_ERROR, "a block is not aligned to its size",
		"Address bits below the block's size are reserved: the hardware faults.",
		NULL,
		{ "Intel VT-d, section 9.8, tables 43 and 45",
		  "Intel VT-d, section 9.7, tables 34 to 40",
		  "VirtualBox DevIommuAmd.cpp, iommuAmdWalkIoPageTable()",
		  "Linux drivers/iommu/generic_pt/fmt/armv8.h, ARMV8PT_FMT_*",
		  "RISC-V privileged architecture, \"Sv32\", translation process, step 6" },
	},
	[CHECK_BAD_RUN_SIZE] = {
		"bad-run-size", CHECK_ERROR, "a run is of a size that its level can't hold",
		"The hardware faults on all that the entry translates.",
		NULL,
		{ NULL, NULL, "VirtualBox DevIommuAmd.cpp, iommuAmdWalkIoPageTable()",
		  "Linux 6.12 arch/arm64/Kconfig, ARM64_CONT_PTE_SHIFT, ARM64_CONT_PMD_SHIFT",
		  "RISC-V privileged architecture, \"Svnapot\"" },
	},
	[CHECK_BAD_LEVEL] = {
		"bad-level", CHECK_ERROR, "a table or leaf of a level where it can't be",
		"The hardware faults, or takes leaves for tables: addresses lead anywhere.",
		NULL, WALKS,
	},
	[CHECK_BAD_ROOT] = {
		"bad-root", CHECK_ERROR, "the hardware takes no such root",
		"All requests of the device fault.",
		NULL,
		{ "Intel VT-d, sections 9.3 and 9.6",
		  "Intel VT-d, section 9.6",
		  "VirtualBox DevIommuAmd.cpp, iommuAmdWalkIoPageTable()",
		  "QEMU target/arm/ptw.c, check_s2_mmu_setup(), and helper.c, aa64_va_parameters()",
		  "RISC-V IOMMU, \"First-Stage context\" and \"IO hypervisor guest address "
		  "translation and protection\"" },
	},
	[CHECK_BAD_TYPE] = {
		"bad-type", CHECK_ERROR, "a translation type that is reserved, or not known here",
		"The hardware refuses the device's requests, or what they reach is not known.",
		NULL,
		{ "Linux 6.12 drivers/iommu/intel/iommu.h, CONTEXT_TT_*; pasid.h, PASID_ENTRY_*",
		  NULL,
		  "Linux 6.12 drivers/iommu/amd/amd_iommu_types.h, DEV_ENTRY_MODE_*, DTE_GLX_*",
		  "QEMU hw/arm/smmuv3-internal.h, STE_CONFIG",
		  "Linux drivers/iommu/riscv/iommu-bits.h, RISCV_IOMMU_DC_*" },
	},
	[CHECK_LOOP] = {
		"loop", CHECK_ERROR, "an entry leads back to a table above it",
		"Entries are taken for leaves: what the device writes there changes the tables "
		"themselves.",
		NULL, WALKS,
	},
	[CHECK_RUN_DIFFERS] = {
		"run-differs", CHECK_ERROR, "the entries of a run say different things",
		"The hardware may take any of them for the whole run.",
		NULL,
		{ NULL, NULL, "Linux drivers/iommu/generic_pt/fmt/amdv1.h, AMDV1PT_FMT_NL_SIZE",
		  NULL, "RISC-V privileged architecture, \"Svnapot\"" },
	},
	[CHECK_CONTIGUOUS_PARTIAL] = {
		"contiguous-partial", CHECK_ERROR, "a contiguous hint in a run that is none",
		"The hardware may cache one translation for the whole run, and two that disagree: "
		"TLB conflicts, or wrong addresses.",
		"Linux arch/arm64/mm/hugetlbpage.c, get_clear_contig(), after Arm's manual, "
		"\"Misprogramming of the Contiguous bit\"",
		{ NULL },
	},
	[CHECK_TABLE_MISSING] = {
		"table-missing", CHECK_ERROR, "an entry leads to a table that is not in memory",
		"The hardware would read what is no memory, or the dump is incomplete: what lies "
		"below was not checked.",
		NULL, WALKS,
	},
	[CHECK_UNTRANSLATED] = {
		"untranslated", CHECK_ERROR, "a first stage's table is where the second one leads "
		"nowhere",
		"Requests that need it fault.",
		"QEMU target/arm/ptw.c, S1_ptw_translate()",
		{ NULL, NULL, NULL, NULL,
		  "RISC-V IOMMU, \"Process to translate an IOVA\"" },
	},
	[CHECK_DOMAIN_ID_SHARED] = {
		"domain-id-shared", CHECK_ERROR, "one domain id for different tables",
		"Caches are tagged with the id: a device may be given the translations of another "
		"one's tables.",
		NULL,
		{ "Intel VT-d, section \"Context-Entry\" (3.4.3 of revision 2): Domain Identifier",
		  "Intel VT-d, section \"Context-Entry\" (3.4.3 of revision 2): Domain Identifier",
		  "Linux 6.12 drivers/iommu/amd/iommu.c, amd_iommu_flush_tlb_domid()",
		  "Linux 6.12 drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, "
		  "arm_smmu_domain_finalise_s1(), _s2()",
		  "RISC-V IOMMU, \"Introduction\" and \"Glossary\": GSCID, PSCID" },
	},
	[CHECK_WRITES_TABLES] = {
		"writes-tables", CHECK_ERROR, "a device can write tables of the IOMMU",
		"It can give itself, or others, all of memory.",
		linux_isolation, { NULL },
	},
	[CHECK_WRITES_KERNEL] = {
		"writes-kernel", CHECK_ERROR, "a device can write the kernel's text",
		"It can run what it likes on the processors.",
		"Linux kernel/crash_core.c, VMCOREINFO_SYMBOL(_stext), for where that is", { NULL },
	},
	[CHECK_WRITES_PROTECTED] = {
		"writes-protected", CHECK_ERROR, "a device can write memory that --protect names",
		"That was asked not to be.",
		linux_isolation, { NULL },
	},
	[CHECK_WRITES_MSI] = {
		"writes-msi", CHECK_ERROR, "addresses lead to the interrupt-message window",
		"Writes there are interrupts: the hardware blocks them, or a device can raise any.",
		NULL,
		{ "Intel VT-d, section 3.14", "Intel VT-d, section 3.14",
		  "QEMU hw/i386/amd_iommu.h, AMDVI_INT_ADDR_FIRST",
		  "Linux 6.12 include/linux/iommu.h, IOMMU_RESV_SW_MSI",
		  "RISC-V IOMMU, \"Introduction\", of message-signaled interrupts" },
	},
	[CHECK_TABLE_SHARED] = {
		"table-shared", CHECK_WARNING, "a table is reached from two places",
		"Whoever unmaps in one place unmaps in both, and invalidates one of them: what is "
		"cached of the other stays.",
		NULL, WALKS,
	},
	[CHECK_WRITABLE_BY_TWO] = {
		"writable-by-two", CHECK_WARNING,
		"memory that devices of different address spaces can write",
		"They are not isolated from each other there.",
		linux_isolation, { NULL },
	},
	[CHECK_MSI_IOVA] = {
		"msi-iova", CHECK_WARNING, "a mapping in the window of interrupts",
		"Requests to 0xfeexxxxx are interrupts there and never translated: the mapping is "
		"never used.",
		NULL,
		{ "Intel VT-d, section 3.14", "Intel VT-d, section 3.14",
		  "Linux 6.12 drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions()" },
	},
	[CHECK_HT_IOVA] = {
		"ht-iova", CHECK_WARNING, "a mapping in HyperTransport's own addresses",
		"Requests to 0xfd00000000..0xffffffffff have a meaning of their own.",
		"Linux 6.12 drivers/iommu/amd/iommu.c, HT_RANGE_START", { NULL },
	},
	[CHECK_MARK_CLEAR] = {
		"mark-clear", CHECK_WARNING,
		"an accessed or dirty bit is clear and the hardware does not set it",
		"Requests that would have to set it fault.",
		NULL,
		{ NULL, NULL, NULL,
		  "QEMU target/arm/ptw.c, get_phys_addr_lpae(): the access flag",
		  "RISC-V IOMMU, \"Device-context fields\": SADE and GADE" },
	},
	[CHECK_DIRTY_NOT_WRITABLE] = {
		"dirty-not-writable", CHECK_WARNING, "a leaf that is dirty and may not be written",
		"Either it was written before the permission went, and who looks for dirty pages "
		"among writable ones misses it, or a stale translation was used.",
		NULL,
		{ "Intel VT-d, section 3.7.2", "Intel VT-d, section 3.6.2",
		  "Linux 6.12 drivers/iommu/amd/amd_iommu_types.h, IOMMU_PTE_HD, DTE_FLAG_HAD",
		  "Linux 6.12 drivers/iommu/io-pgtable-arm.c, iopte_writeable_dirty()",
		  "RISC-V privileged architecture, \"Addressing and Memory Protection\": D" },
	},
	[CHECK_NOT_READ] = {
		"not-read", CHECK_WARNING, "too many tables: the rest was not read",
		"What was not read was not checked.",
		"include/iopt/decode.h, iopt_decode_source::tables_limit", { NULL },
	},
	[CHECK_NO_DEVICES] = {
		"no-devices", CHECK_NOTE, "no device has an entry",
		"Nothing was checked: the registers may be another machine's, or all is refused.",
		"include/iopt/decode.h, iopt_decode_devices()", { NULL },
	},
	[CHECK_DOMAIN_ID_DIFFERS] = {
		"domain-id-differs", CHECK_NOTE, "the same tables under different domain ids",
		"Caches hold translations once for each id, and each wants its invalidations.",
		NULL,
		{ "Intel VT-d, section \"Context-Entry\" (3.4.3 of revision 2): Domain Identifier",
		  NULL,
		  "Linux 6.12 drivers/iommu/amd/iommu.c, amd_iommu_flush_tlb_domid()",
		  "Linux 6.12 drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, "
		  "arm_smmu_domain_finalise_s2()",
		  "RISC-V IOMMU, \"Introduction\": GSCID" },
	},
	[CHECK_PASSES_THROUGH] = {
		"passes-through", CHECK_NOTE, "requests that are not translated",
		"The device reaches all of memory, the IOMMU's tables and the kernel with it.",
		linux_identity, { NULL },
	},
	[CHECK_IDENTITY] = {
		"identity", CHECK_NOTE, "addresses that lead to the same physical address",
		"Firmware asks for some; a kernel that maps all of memory so protects none of it.",
		linux_direct, { NULL },
	},
	[CHECK_TARGET_MISSING] = {
		"target-missing", CHECK_NOTE, "a mapping leads to memory that is not in the dump",
		"Another device's registers, perhaps, or pages that were left out; or it is stale.",
		"tools/iopt/dump.h, dump_has()", { NULL },
	},
	[CHECK_EMPTY_TABLE] = {
		"empty-table", CHECK_NOTE, "a table without entries",
		"Memory that could be given back; walks that end there are cached nowhere.",
		NULL,
		{ "Linux 6.12 drivers/iommu/intel/iommu.c, dma_pte_free_level()",
		  "Linux 6.12 drivers/iommu/intel/iommu.c, dma_pte_free_level()",
		  "Linux 6.12 drivers/iommu/amd/io_pgtable.c, free_sub_pt()",
		  "Linux 6.12 drivers/iommu/io-pgtable-arm.c, __arm_lpae_unmap()",
		  "Linux 6.12 drivers/iommu/io-pgtable-arm.c, __arm_lpae_unmap()" },
	},
	[CHECK_COULD_BE_LARGER] = {
		"could-be-larger", CHECK_NOTE, "mappings that fewer, larger leaves would do for",
		"Each leaf takes an entry of the caches and, below a block, a step of each walk.",
		NULL,
		{ "Intel VT-d, section 3.7, table 4", "Intel VT-d, section 3.6, table 3",
		  "Linux drivers/iommu/generic_pt/fmt/amdv1.h, AMDV1PT_FMT_NL_SIZE",
		  "Linux 6.12 arch/arm64/Kconfig, ARM64_CONT_PTE_SHIFT, ARM64_CONT_PMD_SHIFT",
		  "RISC-V privileged architecture, \"Sv32\" and \"Svnapot\"" },
	},
};

const char *check_kind_name(enum check_kind kind)
{
	return kinds[kind].name;
}

const char *check_kind_title(enum check_kind kind)
{
	return kinds[kind].title;
}

const char *check_kind_why(enum check_kind kind)
{
	return kinds[kind].why;
}

enum check_kind check_kind_find(const char *name)
{
	unsigned kind = 0;

	while (kind < CHECK_KINDS && strcmp(kinds[kind].name, name))
		kind++;
	return (enum check_kind)kind;
}

const char *check_severity_name(enum check_severity severity)
{
	static const char *const names[] = {
		[CHECK_NOTE] = "note",
		[CHECK_WARNING] = "warning",
		[CHECK_ERROR] = "error",
	};

	return names[severity];
}

static enum family family_of(const struct check *check, const struct check_finding *finding)
{
	static const enum family units[] = {
		[IOPT_DECODE_VTD] = VTD_SS,
		[IOPT_DECODE_AMD] = AMD_V1,
		[IOPT_DECODE_SMMUV3] = ARM,
		[IOPT_DECODE_RISCV] = RISCV,
	};

	const struct iopt_decode_device *device =
		finding->space == CHECK_NO_SPACE ? NULL : &check->spaces[finding->space].device;
	const char *format = !device		    ? NULL
			     : device->first_format ? device->first_format
						    : device->format;

	return format && !strcmp(format, "x86-64") ? X86_64 : units[check->source.unit];
}

const char *check_source_text(const struct check *check, const struct check_finding *finding)
{
	const struct kind *kind = &kinds[finding->kind];
	const bool apart = finding->space == CHECK_NO_SPACE && !kind->source;
	const char *source =
		kinds[apart ? CHECK_BAD_TYPE : finding->kind].sources[family_of(check, finding)];

	return source ? source : kind->source;
}

/* ---- what was found ------------------------------------------------------------------------ */

/* The finding of a kind in an address space, or of what leads to tables. NULL: there is none. */
static struct check_finding *find_same(const struct check *check, enum check_kind kind,
				       uint32_t space)
{
	if (space != CHECK_NO_SPACE) {
		uint32_t number = check->spaces[space].findings[kind];

		return number ? &check->findings[number - 1] : NULL;
	}
	return check->apart[kind] ? &check->findings[check->apart[kind] - 1] : NULL;
}

static struct check_finding *add_finding(struct check *check)
{
	/* A power of two: twice the room is needed. */
	if (!(check->nr_findings & (check->nr_findings - 1))) {
		size_t room = check->nr_findings ? 2 * check->nr_findings : 1;
		struct check_finding *more = realloc(check->findings, room * sizeof(*more));

		if (!more) {
			check->no_memory = true;
			return NULL;
		}
		check->findings = more;
	}
	return &check->findings[check->nr_findings++];
}

struct check_finding *check_found_between(struct check *check, enum check_kind kind, uint32_t space,
					  uint32_t other, const struct check_place *place)
{
	struct check_finding *finding;

	if (check->allowed >> kind & 1 ||
	    (space != CHECK_NO_SPACE && space >= check->first_other && other >= check->first_other))
		return NULL;
	finding = check->all ? NULL : find_same(check, kind, space);
	if (finding) {
		finding->count++;
		return NULL;
	}
	finding = add_finding(check);
	if (!finding)
		return NULL;
	*finding = (struct check_finding){
		.kind = kind,
		.severity = kinds[kind].severity,
		.space = space,
		.place = { .level = IOPT_MAX_LEVELS },
		.count = 1,
	};
	if (place)
		finding->place = *place;
	if (space == CHECK_NO_SPACE) {
		check->apart[kind] = (uint32_t)check->nr_findings;
		return finding;
	}
	check->spaces[space].findings[kind] = (uint32_t)check->nr_findings;
	finding->device = true;
	finding->id = check->spaces[space].device.id;
	finding->pasid = check->spaces[space].device.pasid;
	return finding;
}

struct check_finding *check_found(struct check *check, enum check_kind kind, uint32_t space,
				  const struct check_place *place)
{
	return check_found_between(check, kind, space, space, place);
}

void check_say(struct check_finding *finding, const char *format, ...)
{
	va_list arguments;

	if (!finding)
		return;
	va_start(arguments, format);
	if (vasprintf(&finding->detail, format, arguments) < 0)
		finding->detail = NULL;
	va_end(arguments);
}

void check_add_bytes(struct check *check, enum check_kind kind, uint32_t space, uint64_t bytes)
{
	struct check_finding *finding = find_same(check, kind, space);

	if (finding)
		finding->bytes += bytes;
}

/* The worst first, kinds together, devices in ascending order. */
static int by_severity(const void *a, const void *b)
{
	const struct check_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->place.iova != y->place.iova)
		return x->place.iova < y->place.iova ? -1 : 1;
	return x->place.entry_pa < y->place.entry_pa ? -1 : x->place.entry_pa > y->place.entry_pa;
}

void check_sort(struct check *check)
{
	if (check->nr_findings)
		qsort(check->findings, check->nr_findings, sizeof(*check->findings), by_severity);
	for (size_t i = 0; i < check->nr_findings; i++)
		check->totals[check->findings[i].severity]++;
}
