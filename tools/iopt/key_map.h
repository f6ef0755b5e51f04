/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Numbers by key, as `iopt check` and `iopt decode` keep which tables they have seen. */
#ifndef TOOLS_IOPT_KEY_MAP_H
#define TOOLS_IOPT_KEY_MAP_H

#include <stdint.h>

/** struct key_map - numbers by key, which is less than UINT64_MAX: a hash that only grows */
struct key_map {
	struct key_slot *slots;
	unsigned lg2;
	uint64_t used;
};

/** key_map_find() - NULL: not there. Good until the next key_map_add() */
const uint64_t *key_map_find(const struct key_map *map, uint64_t key);
/** key_map_add() - 0, or -ENOMEM; @key is not there yet */
int key_map_add(struct key_map *map, uint64_t key, uint64_t value);
void key_map_free(struct key_map *map);

#endif
