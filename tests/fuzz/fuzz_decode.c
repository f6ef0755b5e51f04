/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fuzzer of libiopt-decode: the bytes are memory from address 0 on, and all units' tables begin in
 * its first page. Whatever they are: no access outside, an end, leaves in order and of sizes that
 * there are.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iopt/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* So many of a device's leaves, and of a unit's devices: repeated, they say no more. */
#define MOST_LEAVES  20000u
#define MOST_DEVICES 64u

struct input {
	const uint8_t *bytes;
	size_t size;
	const struct iopt_decode_source *source;
	unsigned devices;
	unsigned leaves;
	uint64_t next;
};

static void must(int holds)
{
	if (!holds)
		abort();
}

static bool read_input(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	const struct input *input = ctx;

	must(bytes && bytes <= 4096 && pa / 4096 == (pa + bytes - 1) / 4096);
	if (pa >= input->size || bytes > input->size - pa)
		return false;
	memcpy(to, input->bytes + pa, bytes);
	return true;
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct input *input = ctx;

	must(leaf->first <= leaf->last && leaf->lg2 >= 12 && leaf->lg2 < 64);
	must(leaf->level < IOPT_MAX_LEVELS && leaf->first >= input->next);
	input->next = leaf->last;
	return ++input->leaves == MOST_LEAVES;
}

static void take_trouble(void *ctx, const struct iopt_decode_device *device,
			 const struct iopt_decode_trouble *trouble)
{
	(void)ctx;
	(void)device;
	must(*iopt_decode_wrong_text(trouble->what) && trouble->level <= IOPT_MAX_LEVELS);
}

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	struct input *input = ctx;
	const struct iopt_decode_visitor visitor = {
		.ctx = input,
		.leaf = take_leaf,
		.trouble = take_trouble,
	};

	must(device->id <= 0xffff || input->source->unit >= IOPT_DECODE_SMMUV3);
	must((device->path == IOPT_DECODE_NESTED) == (device->first_format != NULL));
	input->leaves = 0;
	input->next = 0;
	must(iopt_decode_tables(input->source, device, 0, UINT64_MAX, &visitor) >= 0);
	return ++input->devices == MOST_DEVICES;
}

static void decode(const uint8_t *bytes, size_t size, enum iopt_decode_unit unit, uint64_t root,
		   uint64_t config)
{
	struct input input = { .bytes = bytes, .size = size };
	const struct iopt_decode_source source = {
		.read = read_input,
		.ctx = &input,
		.unit = unit,
		.root = root,
		.config = config,
		.tables_limit = 4096,
	};
	const struct iopt_decode_visitor visitor = {
		.ctx = &input,
		.device = take_device,
		.trouble = take_trouble,
	};

	input.source = &source;
	must(iopt_decode_devices(&source, &visitor) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	decode(bytes, size, IOPT_DECODE_VTD, 0, 0);
	decode(bytes, size, IOPT_DECODE_VTD, 1ull << 10, 0);
	decode(bytes, size, IOPT_DECODE_AMD, 0, 0);
	decode(bytes, size, IOPT_DECODE_AMD, 0, 1ull << 58); /* GCR3TRPMode */
	/* Linear, and of two levels split at eight bits. */
	decode(bytes, size, IOPT_DECODE_SMMUV3, 0, 8);
	decode(bytes, size, IOPT_DECODE_SMMUV3, 0, 1 << 16 | 8 << 6 | 12);
	/* Of two and three levels, in the base and the extended format. */
	decode(bytes, size, IOPT_DECODE_RISCV, 3, 0);
	decode(bytes, size, IOPT_DECODE_RISCV, 4, 1 << 22);
	return 0;
}
