/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* tools/iopt/output.c: a signal leaves no temporary file, though it comes while that has a name. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/iopt/command.h"
#include "tools/iopt/output.h"

/* What the command has from its other files. */
int content_error(const char *format, ...)
{
	(void)format;
	return 1;
}

/* The linker has output.c call the former (--wrap). */
int __wrap_unlink(const char *path);
int __real_unlink(const char *path);

int __wrap_unlink(const char *path)
{
	raise(SIGINT);
	return __real_unlink(path);
}

static void interrupted(void **state)
{
	char folder[] = "/tmp/test-output.XXXXXX";
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(folder));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		signal(SIGINT, SIG_DFL);
		setenv("TMPDIR", folder, 1);
		temporary_file();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_int_equal(rmdir(folder), 0); /* it is empty */
}

/* It is a file to write to and to read from, of which nothing is to be seen. */
static void nameless(void **state)
{
	FILE *file;

	(void)state;
	signal(SIGINT, SIG_IGN);
	file = temporary_file();
	assert_non_null(file);
	assert_true(fputs("text", file) >= 0);
	rewind(file);
	assert_int_equal(fgetc(file), 't');
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted),
		cmocka_unit_test(nameless),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
