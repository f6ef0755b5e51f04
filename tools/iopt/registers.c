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

/**
 * struct unit - what is needed of a unit's registers
 * @root:   where its tables begin
 * @config: what else says so, or NULL
 * @status: whether it translates
 * @mask:   the bits of @status that say so
 * @off:    what they are if it does not
 */
struct unit {
	enum iopt_decode_unit unit;
	const char *root;
	const char *config;
	const char *status;
	uint64_t mask;
	uint64_t off;
};

static const struct unit units[] = {
	/* Linux 6.12, drivers/iommu/intel/iommu.h: DMA_GSTS_TES */
	{ IOPT_DECODE_VTD, "RTADDR", NULL, "GSTS", 1ull << 31, 0 },
	/* drivers/iommu/amd/amd_iommu_types.h: CONTROL_IOMMU_EN */
	{ IOPT_DECODE_AMD, "DEVTAB", NULL, "CONTROL", 1ull << 0, 0 },
	/* drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h: CR0_SMMUEN */
	{ IOPT_DECODE_SMMUV3, "STRTAB_BASE", "STRTAB_BASE_CFG", "CR0", 1ull << 0, 0 },
	/* drivers/iommu/riscv/iommu-bits.h: RISCV_IOMMU_DDTP_IOMMU_MODE_BARE */
	{ IOPT_DECODE_RISCV, "DDTP", "CAPABILITIES", "DDTP", 15, 1 },
};

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

static const struct unit *find_unit(const char *path, struct json_object *file)
{
	const struct unit *found = NULL;

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!json_object_object_get_ex(file, units[i].root, NULL))
			continue;
		if (found) {
			refuse(path, units[i].root, "expected the registers of one unit");
			return NULL;
		}
		found = &units[i];
	}
	if (!found)
		refuse(path, "registers",
		       "expected RTADDR (Intel), DEVTAB (AMD), STRTAB_BASE (Arm) or DDTP (RISC-V) "
		       "among them");
	return found;
}

/* All of a file, which ends with a zero; NULL, and errno is set. */
static char *read_file(const char *path)
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
	if (file)
		fclose(file);
	return text;
}

/* What a file says; NULL, and it was told why. */
static struct json_object *read_json(const char *path)
{
	enum json_tokener_error error = json_tokener_success;
	char *text = read_file(path);
	struct json_object *file;

	if (!text) {
		content_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	file = json_tokener_parse_verbose(text, &error);
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
	const struct unit *unit;
	uint64_t status = 0;
	bool good;

	if (!file)
		return false;
	unit = find_unit(path, file);
	good = unit && read_value(path, file, unit->root, &source->root) &&
	       (!unit->config || read_value(path, file, unit->config, &source->config)) &&
	       read_value(path, file, unit->status, &status);
	if (good) {
		source->unit = unit->unit;
		*off = (status & unit->mask) == unit->off;
	}
	json_object_put(file);
	return good;
}
