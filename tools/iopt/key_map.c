/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See key_map.h. */
#include "tools/iopt/key_map.h"

#include <errno.h>
#include <stdlib.h>

/** struct key_slot - @key: one more than it is; 0: free */
struct key_slot {
	uint64_t key;
	uint64_t value;
};

/* Fibonacci hashing, Knuth: The Art of Computer Programming 3, 6.4. */
static struct key_slot *map_slot(const struct key_map *map, uint64_t key)
{
	uint64_t at = key * 0x9e3779b97f4a7c15ull >> (64 - map->lg2);

	while (map->slots[at].key && map->slots[at].key != key)
		at = (at + 1) & ((1ull << map->lg2) - 1);
	return &map->slots[at];
}

static int map_grow(struct key_map *map)
{
	struct key_map larger = { .lg2 = map->lg2 ? map->lg2 + 1 : 8, .used = map->used };

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

const uint64_t *key_map_find(const struct key_map *map, uint64_t key)
{
	const struct key_slot *slot = map->slots ? map_slot(map, key + 1) : NULL;

	return slot && slot->key ? &slot->value : NULL;
}

int key_map_add(struct key_map *map, uint64_t key, uint64_t value)
{
	if ((!map->slots || map->used >= 1ull << map->lg2 >> 1) && map_grow(map))
		return -ENOMEM;
	*map_slot(map, key + 1) = (struct key_slot){ key + 1, value };
	map->used++;
	return 0;
}

void key_map_free(struct key_map *map)
{
	free(map->slots);
}
