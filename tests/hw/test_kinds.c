/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Descriptions of formats name the walkers of the tests here, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after those that it needs */
#include <cmocka.h>

#include "kinds.h"

static void models_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < hw_nr_kinds; i++) {
		const struct iopt_format_info *format = iopt_format_find(hw_kinds[i].config.format);

		if (!format)
			continue; /* a build of few formats */
		assert_non_null(format->walkers);
		assert_string_equal(format->walkers, hw_kinds[i].unit->model);
	}
}

static bool is_walked(const struct iopt_format_info *format)
{
	for (size_t i = 0; i < hw_nr_kinds; i++)
		if (!strcmp(hw_kinds[i].config.format, format->name))
			return true;
	return false;
}

static void named_models_walk(void **state)
{
	(void)state;
	for (size_t i = 0; iopt_format_info(i); i++)
		assert_int_equal(is_walked(iopt_format_info(i)), !!iopt_format_info(i)->walkers);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_are_named),
		cmocka_unit_test(named_models_walk),
	};

	return cmocka_run_group_tests_name("hw: kinds", tests, NULL, NULL);
}
