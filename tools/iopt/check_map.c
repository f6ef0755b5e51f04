/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See check_map.h. */
#include "tools/iopt/check_map.h"

#include <errno.h>
#include <stdlib.h>

/** struct check_slot - @key: one more than it is; 0: free */
struct check_slot {
	uint64_t key;
	uint64_t value;
};

/* Fibonacci hashing, Knuth: The Art of Computer Programming 3, 6.4. */
static struct check_slot *map_slot(const struct check_map *map, uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15ull >> (64 - map->lg2);

	while (map->slots[at].key && map->slots[at].key != key)
		at = (at + 1) & ((1ull << map->lg2) - 1);
	return &map->slots[at];
}

static int map_grow(struct check_map *map)
{
	struct check_map larger = { .lg2 = map->lg2 ? map->lg2 + 1 : 8, .used = map->used };

	larger.slots = calloc(1ull << larger.lg2, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (uint64_t i = 0; map->slots && i < 1ull << map->lg2; i++)
		if (map->slots[i].key)
			*map_slot(&larger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = larger;
	return 0;
}

const uint64_t *check_map_find(const struct check_map *map, uint64_t key)
{
	const struct check_slot *slot = map->slots ? map_slot(map, key + 1) : NULL;

	return slot && slot->key ? &slot->value : NULL;
}

int check_map_add(struct check_map *map, uint64_t key, uint64_t value)
{
	if ((!map->slots || map->used >= 1ull << map->lg2 >> 1) && map_grow(map))
		return -ENOMEM;
	*map_slot(map, key + 1) = (struct check_slot){ key + 1, value };
	map->used++;
	return 0;
}

void check_map_free(struct check_map *map)
{
	free(map->slots);
}
