/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a debugger would find in memory, from the registers of a unit on: libiopt-decode. */
#ifndef TESTS_HW_TABLES_H
#define TESTS_HW_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "unit.h"

static bool hw_read_ram(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	const struct hw *hw = ctx;

	if (pa - hw->ram_base >= HW_RAM_BYTES)
		return false;
	memcpy(to, hw_at(hw, pa), bytes);
	return true;
}

static inline struct iopt_decode_source hw_tables(struct hw *hw)
{
	struct iopt_decode_source source = { .read = hw_read_ram, .ctx = hw };

	hw->unit->tables(hw, &source);
	return source;
}

static inline void hw_no_trouble(void *ctx, const struct iopt_decode_device *device,
				 const struct iopt_decode_trouble *trouble)
{
	(void)ctx;
	(void)device;
	fail_msg("decoded: %s, at 0x%jx", iopt_decode_wrong_text(trouble->what),
		 (uintmax_t)trouble->entry_pa);
}

#endif
