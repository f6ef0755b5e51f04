/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Numbers by key, as `iopt check` and `iopt decode` keep which tables they have seen. */
#ifndef TOOLS_IOPT_CHECK_MAP_H
#define TOOLS_IOPT_CHECK_MAP_H

#include <stdint.h>

/** struct check_map - numbers by key, which is less than UINT64_MAX: a hash that only grows */
struct check_map {
	struct check_slot *slots;
	unsigned lg2;
	uint64_t used;
};

/** check_map_find() - NULL: not there. Good until the next check_map_add() */
const uint64_t *check_map_find(const struct check_map *map, uint64_t key);
/** check_map_add() - 0, or -ENOMEM; @key is not there yet */
int check_map_add(struct check_map *map, uint64_t key, uint64_t value);
void check_map_free(struct check_map *map);

#endif
