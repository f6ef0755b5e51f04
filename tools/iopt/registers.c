/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See registers.h. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"
#include "tools/iopt/registers.h"

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

bool registers_read(const char *path, struct iopt_decode_source *source, bool *off)
{
	struct json_object *file = json_object_from_file(path);
	const struct unit *unit;
	uint64_t status = 0;
	bool good;

	if (!file) {
		/* One line, without the file's name. */
		const char *why = json_util_get_last_err();

		content_error("%s: expected a JSON object of registers: %.*s", path,
			      (int)strcspn(why, "\n"), why);
		return false;
	}
	if (json_object_get_type(file) != json_type_object) {
		json_object_put(file);
		return refuse(path, "registers", "expected a JSON object");
	}
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
