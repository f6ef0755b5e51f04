/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See check.h: findings as text for people, as lines of tsv, and as json. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/iopt/check.h"
#include "tools/iopt/command.h"

/* Of one kind in text; and devices of one finding. The other forms have all. */
#define MOST_FINDINGS 12u
#define MOST_USERS    4u

static const struct check_space *space_of(const struct check *check,
					  const struct check_finding *finding)
{
	return finding->space == CHECK_NO_SPACE ? NULL : &check->spaces[finding->space];
}

static uint64_t users_of(const struct check *check, const struct check_finding *finding)
{
	const struct check_space *space = space_of(check, finding);

	return space ? space->nr_users : 0;
}

/* ---- text ---------------------------------------------------------------------------------- */

/* ECMA-48, 8.3.117: SGR; on a terminal that wants it (no-color.org). */
static const char *colour(FILE *out, const char *code)
{
	return isatty(fileno(out)) && !getenv("NO_COLOR") ? code : "";
}

static void print_severity(FILE *out, enum check_severity severity)
{
	static const char *const codes[] = {
		[CHECK_NOTE] = "\033[36m",
		[CHECK_WARNING] = "\033[33m",
		[CHECK_ERROR] = "\033[1;31m",
	};

	fprintf(out, "%s%s%s", colour(out, codes[severity]), check_severity_name(severity),
		colour(out, "\033[0m"));
}

static void print_user(FILE *out, const char *before, uint32_t id, uint32_t pasid)
{
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(out, "%s%s", before, mappings_device_text(id, text));
	if (pasid != IOPT_DECODE_NO_PASID)
		fprintf(out, " pasid %" PRIu32, pasid);
}

static void print_users(const struct check *check, const struct check_finding *finding, FILE *out)
{
	const struct check_space *space = space_of(check, finding);
	const uint64_t nr = users_of(check, finding);
	char text[SIZE_TEXT_BYTES];

	if (!finding->device) {
		fprintf(out, "  -");
		return;
	}
	print_user(out, "  ", finding->id, finding->pasid);
	for (size_t i = 0; i < nr && i < MOST_USERS; i++)
		print_user(out, ", ", space->users[i].id, space->users[i].pasid);
	if (nr > MOST_USERS)
		fprintf(out, " and %s more", grouped(nr - MOST_USERS, text));
}

static void print_place(const struct check_place *place, FILE *out)
{
	if (place->level < IOPT_MAX_LEVELS)
		fprintf(out, "  iova 0x%012" PRIx64 "  level %u", place->iova, place->level);
	if (place->has_entry)
		fprintf(out, "  at 0x%" PRIx64, place->entry_pa);
	if (place->entry)
		fprintf(out, " = 0x%016" PRIx64, place->entry);
}

static void print_finding(const struct check *check, const struct check_finding *finding, FILE *out)
{
	char text[SIZE_TEXT_BYTES];

	print_users(check, finding, out);
	print_place(&finding->place, out);
	if (finding->detail)
		fprintf(out, "\n    %s", finding->detail);
	if (finding->count > 1)
		fprintf(out, "%s%s more like it", finding->detail ? "; " : "\n    ",
			grouped(finding->count - 1, text));
	if (finding->bytes)
		fprintf(out, "%s%s%s", finding->detail || finding->count > 1 ? "; " : "\n    ",
			size_text(finding->bytes, text), finding->count > 1 ? " in all" : "");
	fputc('\n', out);
}

static bool begins_group(const struct check *check, const struct check_finding *finding,
			 const struct check_finding *before)
{
	return !before || before->kind != finding->kind || before->severity != finding->severity ||
	       check_source_text(check, before) != check_source_text(check, finding);
}

static void print_head(const struct check *check, const struct check_finding *finding, FILE *out)
{
	const char *source = check_source_text(check, finding);

	print_severity(out, finding->severity);
	fprintf(out, "  %s: %s\n  %s\n", check_kind_name(finding->kind),
		check_kind_title(finding->kind), check_kind_why(finding->kind));
	if (source)
		fprintf(out, "  [%s]\n", source);
}

static void print_more(const struct check *check, unsigned in_group, FILE *out)
{
	if (in_group > MOST_FINDINGS && !check->all)
		fprintf(out, "  and %u more devices or PASIDs, see --output tsv\n",
			in_group - MOST_FINDINGS);
}

static void print_sum(const struct check *check, FILE *out)
{
	for (int severity = CHECK_ERROR; severity >= CHECK_NOTE; severity--) {
		const uint64_t nr = check->totals[severity];
		char text[SIZE_TEXT_BYTES];

		fprintf(out, "%s %s%s%s", grouped(nr, text),
			check_severity_name((enum check_severity)severity), nr == 1 ? "" : "s",
			severity > CHECK_NOTE ? ", " : "\n");
	}
}

static void show_text(const struct check *check, enum check_severity least, FILE *out)
{
	const struct check_finding *before = NULL;
	unsigned in_group = 0;

	for (size_t i = 0; i < check->nr_findings; i++) {
		const struct check_finding *finding = &check->findings[i];

		if (finding->severity < least)
			break;
		if (begins_group(check, finding, before)) {
			print_more(check, in_group, out);
			if (before)
				fputc('\n', out);
			print_head(check, finding, out);
			in_group = 0;
		}
		if (++in_group <= MOST_FINDINGS || check->all)
			print_finding(check, finding, out);
		before = finding;
	}
	print_more(check, in_group, out);
	if (before)
		fputc('\n', out);
	print_sum(check, out);
}

/* ---- tsv ----------------------------------------------------------------------------------- */

/* What there is not is a dash. */
static void put_decimal(FILE *out, bool known, uint64_t value)
{
	if (known)
		fprintf(out, "\t%" PRIu64, value);
	else
		fputs("\t-", out);
}

static void put_hex(FILE *out, bool known, uint64_t value)
{
	if (known)
		fprintf(out, "\t0x%" PRIx64, value);
	else
		fputs("\t-", out);
}

static void show_line(const struct check *check, const struct check_finding *finding, FILE *out)
{
	const struct check_place *place = &finding->place;
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(out, "%s\t%s\t%s", check_severity_name(finding->severity),
		check_kind_name(finding->kind),
		finding->device ? mappings_device_text(finding->id, text) : "-");
	put_decimal(out, finding->device && finding->pasid != IOPT_DECODE_NO_PASID, finding->pasid);
	put_hex(out, place->level < IOPT_MAX_LEVELS, place->iova);
	put_decimal(out, place->level < IOPT_MAX_LEVELS, place->level);
	put_hex(out, place->has_entry, place->entry_pa);
	put_hex(out, place->entry, place->entry);
	fprintf(out, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\n", users_of(check, finding),
		finding->count, finding->bytes, finding->detail ? finding->detail : "-");
}

static void show_tsv(const struct check *check, enum check_severity least, FILE *out)
{
	for (size_t i = 0; i < check->nr_findings; i++)
		if (check->findings[i].severity >= least)
			show_line(check, &check->findings[i], out);
}

/* ---- json ---------------------------------------------------------------------------------- */

static struct json_object *json_hex(bool known, uint64_t value)
{
	char text[SIZE_TEXT_BYTES];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return known ? json_object_new_string(text) : NULL;
}

static struct json_object *json_text(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *json_user(uint32_t id, uint32_t pasid)
{
	struct json_object *user = json_object_new_object();
	char text[MAPPINGS_DEVICE_BYTES];

	json_object_object_add(user, "device", json_text(mappings_device_text(id, text)));
	json_object_object_add(user, "pasid",
			       pasid == IOPT_DECODE_NO_PASID ? NULL : json_object_new_int64(pasid));
	return user;
}

static struct json_object *json_users(const struct check *check,
				      const struct check_finding *finding)
{
	const struct check_space *space = space_of(check, finding);
	struct json_object *users = json_object_new_array();

	if (finding->device)
		json_object_array_add(users, json_user(finding->id, finding->pasid));
	for (size_t i = 0; space && i < space->nr_kept; i++)
		json_object_array_add(users, json_user(space->users[i].id, space->users[i].pasid));
	return users;
}

static struct json_object *json_finding(const struct check *check,
					const struct check_finding *finding)
{
	const struct check_place *place = &finding->place;
	const bool level = place->level < IOPT_MAX_LEVELS;
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "severity", json_text(check_severity_name(finding->severity)));
	json_object_object_add(row, "kind", json_text(check_kind_name(finding->kind)));
	json_object_object_add(row, "title", json_text(check_kind_title(finding->kind)));
	json_object_object_add(row, "devices", json_users(check, finding));
	json_object_object_add(row, "other_devices",
			       json_object_new_uint64(users_of(check, finding)));
	json_object_object_add(row, "iova", json_hex(level, place->iova));
	json_object_object_add(row, "level", level ? json_object_new_int64(place->level) : NULL);
	json_object_object_add(row, "entry_pa", json_hex(place->has_entry, place->entry_pa));
	json_object_object_add(row, "entry", json_hex(place->entry, place->entry));
	json_object_object_add(row, "count", json_object_new_uint64(finding->count));
	json_object_object_add(row, "bytes", json_object_new_uint64(finding->bytes));
	json_object_object_add(row, "detail", json_text(finding->detail));
	json_object_object_add(row, "why", json_text(check_kind_why(finding->kind)));
	json_object_object_add(row, "source", json_text(check_source_text(check, finding)));
	return row;
}

static bool show_json(const struct check *check, enum check_severity least, FILE *out)
{
	struct json_object *all = json_object_new_object(), *rows = json_object_new_array();
	const char *text;

	for (size_t i = 0; i < check->nr_findings; i++)
		if (check->findings[i].severity >= least)
			json_object_array_add(rows, json_finding(check, &check->findings[i]));
	json_object_object_add(all, "findings", rows);
	json_object_object_add(all, "errors", json_object_new_uint64(check->totals[CHECK_ERROR]));
	json_object_object_add(all, "warnings",
			       json_object_new_uint64(check->totals[CHECK_WARNING]));
	json_object_object_add(all, "notes", json_object_new_uint64(check->totals[CHECK_NOTE]));
	text = json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(all);
	return text;
}

bool check_show(const struct check *check, enum check_form form, enum check_severity least,
		FILE *out)
{
	switch (form) {
	case CHECK_TEXT: show_text(check, least, out); break;
	case CHECK_TSV: show_tsv(check, least, out); break;
	case CHECK_JSON: return show_json(check, least, out);
	}
	return true;
}
