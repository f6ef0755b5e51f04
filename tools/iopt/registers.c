/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See registers.h. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/registers.h"

/* A unit has some dozens of registers. */
#define FILE_BYTES 65536u

/** struct register_at - a register: name, offset and size; no name: there is none */
struct register_at {
	const char *name;
	uint32_t offset;
	uint32_t bytes;
};

/**
 * struct layout - what is needed of a unit's registers
 * @kind:   of the unit
 * @text:   the same for people
 * @region: how QEMU calls its registers
 * @option: of a command line, in their stead
 * @root:   where its tables begin
 * @config: what else says so
 * @status: whether it translates
 * @mask:   the bits of @status that say so
 * @off:    what they are if it does not
 */
struct layout {
	enum iopt_decode_unit kind;
	const char *text;
	const char *region;
	const char *option;
	struct register_at root;
	struct register_at config;
	struct register_at status;
	uint64_t mask;
	uint64_t off;
};

static const struct layout layouts[] = {
	/* Linux 6.12, drivers/iommu/intel/iommu.h: DMAR_RTADDR_REG, DMAR_GSTS_REG, DMA_GSTS_TES;
	 * QEMU, hw/i386/intel_iommu.c: vtd_realize() */
	{ .kind = IOPT_DECODE_VTD,
	  .text = "VT-d",
	  .region = "intel_iommu",
	  .option = "--root",
	  .root = { "RTADDR", 0x20, 8 },
	  .status = { "GSTS", 0x1c, 4 },
	  .mask = 1ull << 31 },
	/* drivers/iommu/amd/amd_iommu_types.h: MMIO_DEV_TABLE_OFFSET, MMIO_CONTROL_OFFSET,
	 * CONTROL_IOMMU_EN; QEMU, hw/i386/amd_iommu.c: amdvi_sysbus_realize() */
	{ .kind = IOPT_DECODE_AMD,
	  .text = "AMD IOMMU",
	  .region = "amdvi-mmio",
	  .option = "--device-table",
	  .root = { "DEVTAB", 0x0, 8 },
	  .config = { "CONTROL", 0x18, 8 },
	  .status = { "CONTROL", 0x18, 8 },
	  .mask = 1ull << 0 },
	/* drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h: ARM_SMMU_STRTAB_BASE,
	 * ARM_SMMU_STRTAB_BASE_CFG, ARM_SMMU_CR0, CR0_SMMUEN; QEMU, hw/arm/smmuv3.c:
	 * smmu_realize() */
	{ .kind = IOPT_DECODE_SMMUV3,
	  .text = "SMMUv3",
	  .region = "arm-smmuv3",
	  .option = "--stream-table",
	  .root = { "STRTAB_BASE", 0x80, 8 },
	  .config = { "STRTAB_BASE_CFG", 0x88, 4 },
	  .status = { "CR0", 0x20, 4 },
	  .mask = 1ull << 0 },
	/* drivers/iommu/riscv/iommu-bits.h: RISCV_IOMMU_REG_DDTP, RISCV_IOMMU_REG_CAPABILITIES,
	 * RISCV_IOMMU_DDTP_IOMMU_MODE_BARE; QEMU, hw/riscv/riscv-iommu.c: riscv_iommu_realize() */
	{ .kind = IOPT_DECODE_RISCV,
	  .text = "RISC-V IOMMU",
	  .region = "riscv-iommu-regs",
	  .option = "--ddt",
	  .root = { "DDTP", 0x10, 8 },
	  .config = { "CAPABILITIES", 0x0, 8 },
	  .status = { "DDTP", 0x10, 8 },
	  .mask = 15,
	  .off = 1 },
};

#define NR_LAYOUTS (sizeof(layouts) / sizeof(*layouts))

static bool refuse(const char *path, const char *name, const char *why)
{
	content_error("%s: %s: %s", path, name, why);
	return false;
}

static bool read_value(const char *path, struct json_object *file, const char *name,
		       uint64_t *value)
{
	struct json_object *text;
	const char *digits;
	char *end;

	if (!json_object_object_get_ex(file, name, &text))
		return refuse(path, name, "is missing");
	digits = json_object_get_type(text) == json_type_string ? json_object_get_string(text) : "";
	errno = 0;
	*value = strtoull(digits, &end, 16);
	if (strncmp(digits, "0x", 2) || !digits[2] || *end || errno)
		return refuse(path, name, "expected a hexadecimal string, as in \"0x46b7000\"");
	return true;
}

static const struct layout *find_layout(const char *path, struct json_object *file)
{
	const struct layout *found = NULL;

	for (size_t i = 0; i < NR_LAYOUTS; i++) {
		if (!json_object_object_get_ex(file, layouts[i].root.name, NULL))
			continue;
		if (found) {
			refuse(path, layouts[i].root.name, "expected the registers of one unit");
			return NULL;
		}
		found = &layouts[i];
	}
	if (!found)
		refuse(path, "registers",
		       "expected RTADDR (Intel), DEVTAB (AMD), STRTAB_BASE (Arm) or DDTP (RISC-V) "
		       "among them");
	return found;
}

/* All of a file, which ends with a zero; NULL, and errno is set. */
static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	char *text = file ? malloc(FILE_BYTES + 1) : NULL;
	size_t bytes = text ? fread(text, 1, FILE_BYTES + 1, file) : 0;

	if (text && (ferror(file) || bytes > FILE_BYTES)) {
		if (!ferror(file))
			errno = EFBIG;
		free(text);
		text = NULL;
	}
	if (text)
		text[bytes] = '\0';
	*size = bytes;
	if (file)
		fclose(file);
	return text;
}

/* All of it is to be one JSON value, with nothing but spaces behind. */
static struct json_object *parse(const char *text, size_t bytes, enum json_tokener_error *error)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *file = NULL;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	file = json_tokener_parse_ex(tokener, text, (int)bytes);
	*error = json_tokener_get_error(tokener);
	if (file && json_tokener_get_parse_end(tokener) != bytes) {
		*error = json_tokener_error_parse_unexpected;
		json_object_put(file);
		file = NULL;
	}
	json_tokener_free(tokener);
	return file;
}

/* What a file says; NULL, and it was told why. */
static struct json_object *read_json(const char *path)
{
	enum json_tokener_error error = json_tokener_success;
	size_t bytes;
	char *text = read_file(path, &bytes);
	struct json_object *file;

	if (!text) {
		content_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	file = parse(text, bytes, &error);
	free(text);
	if (file && json_object_get_type(file) == json_type_object)
		return file;
	content_error("%s: expected a JSON object of registers%s%s", path, file ? "" : ": ",
		      file ? "" : json_tokener_error_desc(error));
	json_object_put(file);
	return NULL;
}

bool registers_read(const char *path, struct iopt_decode_source *source, bool *off)
{
	struct json_object *file = read_json(path);
	const struct layout *layout;
	uint64_t status = 0;
	bool good;

	if (!file)
		return false;
	layout = find_layout(path, file);
	good = layout && read_value(path, file, layout->root.name, &source->root) &&
	       (!layout->config.name ||
		read_value(path, file, layout->config.name, &source->config)) &&
	       read_value(path, file, layout->status.name, &status);
	if (good) {
		source->unit = layout->kind;
		*off = (status & layout->mask) == layout->off;
	}
	json_object_put(file);
	return good;
}

/* ---- in the unit --------------------------------------------------------------------------- */

static const struct layout *layout_of(enum iopt_decode_unit kind)
{
	const struct layout *layout = layouts;

	while (layout->kind != kind)
		layout++;
	return layout;
}

bool registers_load(bool (*load)(void *ctx, uint64_t pa, unsigned bytes, uint64_t *value),
		    void *ctx, enum iopt_decode_unit kind, uint64_t base,
		    struct iopt_decode_source *source, bool *off)
{
	const struct layout *layout = layout_of(kind);
	const struct register_at *root = &layout->root, *config = &layout->config;
	const struct register_at *status = &layout->status;
	uint64_t value;

	if (!load(ctx, base + root->offset, root->bytes, &source->root) ||
	    (config->name && !load(ctx, base + config->offset, config->bytes, &source->config)) ||
	    !load(ctx, base + status->offset, status->bytes, &value))
		return false;
	source->unit = kind;
	*off = (value & layout->mask) == layout->off;
	return true;
}

const char *registers_kind_text(enum iopt_decode_unit kind)
{
	return layout_of(kind)->text;
}

bool registers_kind_of(const char *region, enum iopt_decode_unit *kind)
{
	for (size_t i = 0; i < NR_LAYOUTS; i++)
		if (!strcmp(region, layouts[i].region)) {
			*kind = layouts[i].kind;
			return true;
		}
	return false;
}

const char *registers_option(enum iopt_decode_unit kind, uint64_t base,
			     char text[REGISTERS_OPTION_BYTES])
{
	const struct layout *layout = layout_of(kind);
	int used = snprintf(text, REGISTERS_OPTION_BYTES, "%s (%s at 0x%llx", layout->option,
			    layout->root.name, (unsigned long long)(base + layout->root.offset));

	if (layout->config.name)
		used += snprintf(text + used, REGISTERS_OPTION_BYTES - (size_t)used,
				 ", %s at 0x%llx", layout->config.name,
				 (unsigned long long)(base + layout->config.offset));
	snprintf(text + used, REGISTERS_OPTION_BYTES - (size_t)used, ")");
	return text;
}
