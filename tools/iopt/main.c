/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The command `iopt`: finds the subcommand and hands over. What a subcommand does lies in its file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/command.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "replay", command_replay }, { "migrate", command_migrate },
	{ "decode", command_decode }, { "diff", command_diff },
	{ "check", command_check },   { "formats", command_formats },
	{ "record", command_record },
};

static const char expected[] =
	"replay, migrate, decode, diff, check, formats, record, version or help";

struct choice {
	int (*run)(int argc, char **argv);
	int at;
	bool version;
	bool help;
};

static error_t parser(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	choice->at = state->next - 1;
	state->next = state->argc;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(arg, commands[i].name))
			choice->run = commands[i].run;
	choice->version = !strcmp(arg, "version");
	choice->help = !strcmp(arg, "help");
	if (!choice->run && !choice->version && !choice->help)
		usage_error("iopt", "no command '%s', expected %s", arg, expected);
	return 0;
}

static const struct argp argp = {
	NULL,
	parser,
	"COMMAND [ARGUMENT...]",
	"An I/O page-table engine that stays right while the hardware walks.\v"
	"Commands:\n"
	"  replay    replay a recording of a Linux guest's DMA mappings through the engine\n"
	"  migrate   simulate a live migration's pre-copy over such a recording\n"
	"  decode    show what each device can reach, from the tables in memory\n"
	"  diff      show what changed between two dumps, or since one\n"
	"  check     find what is wrong, open or wasteful in such tables\n"
	"  formats   list the page-table formats that the engine knows\n"
	"  record    print the commands that make such a recording\n"
	"  version   print the version\n"
	"  help      print this list\n"
	"\n"
	"`iopt COMMAND --help' tells more about each.",
	NULL,
	NULL,
	NULL,
};

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	fprintf(stream, "iopt %s\n", IOPT_VERSION);
}

int main(int argc, char **argv)
{
	struct choice choice = { 0 };
	char name[32];

	argp_program_version_hook = print_version;
	parse_arguments(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
	if (choice.version) {
		print_version(stdout, NULL);
		return EXIT_OKAY;
	}
	if (choice.help) {
		argp_help(&argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, "iopt");
		return EXIT_OKAY;
	}
	if (!choice.run)
		usage_error("iopt", "no command, expected %s", expected);
	snprintf(name, sizeof(name), "iopt %s", argv[choice.at]);
	argv[choice.at] = name;
	return choice.run(argc - choice.at, argv + choice.at);
}
