/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See mappings.h. Nothing is kept but the mapping that may still grow: dumps may be of any size. */
#include "tools/iopt/mappings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/iopt/command.h"
#include "tools/iopt/form.h"
#include "tools/iopt/same.h"

bool form_is_filtered(const struct mappings_wish *wish)
{
	return wish->by_pa || wish->accessed || wish->dirty || wish->iova.first ||
	       wish->iova.last != UINT64_MAX;
}

int form_begin_device(struct show *show)
{
	if (show->begun)
		return 0;
	show->begun = true;
	return show->form->device ? show->form->device(show) : 0;
}

static void show_progress(struct show *show)
{
	char tables[SIZE_TEXT_BYTES], devices[SIZE_TEXT_BYTES];

	if (progress_due(&show->progress))
		progress_show(&show->progress, "%s tables, %s devices",
			      grouped(show->tables, tables), grouped(show->devices, devices));
}

/* ---- mappings ------------------------------------------------------------------------------ */

static int show_pending(struct show *show)
{
	int error = 0;

	if (!show->pending.nr)
		return 0;
	if (show->form->mapping) {
		error = form_begin_device(show);
		if (!error)
			error = show->form->mapping(show, &show->pending);
	}
	show->sums.mappings++;
	show->pending.nr = 0;
	return error;
}

static bool overlaps(struct span span, uint64_t first, uint64_t last)
{
	return last >= span.first && first <= span.last;
}

/* Of interest by where it leads; where it lies has been asked for already. */
static bool is_near(const struct mappings_wish *wish, const struct iopt_decode_leaf *leaf)
{
	return !wish->by_pa || overlaps(wish->pa, leaf->pa, leaf->pa + (leaf->last - leaf->first));
}

static bool is_wanted(const struct mappings_wish *wish, const struct iopt_decode_leaf *leaf)
{
	return (!wish->accessed || leaf->accessed) && (!wish->dirty || leaf->dirty);
}

static void add_size(struct leaf_sizes *leaves, unsigned lg2)
{
	if (!(leaves->sizes >> lg2 & 1))
		leaves->of_size[lg2] = 0;
	leaves->sizes |= 1ull << lg2;
	leaves->of_size[lg2]++;
}

static void add_amount(struct amount *amount, uint64_t bytes)
{
	amount->leaves++;
	if (__builtin_add_overflow(amount->bytes, bytes, &amount->bytes))
		amount->bytes = UINT64_MAX;
}

static void add_sums(struct sums *sums, const struct iopt_decode_leaf *leaf)
{
	/* All of 64 bits are one byte more than a number holds. */
	uint64_t bytes = leaf->last - leaf->first == UINT64_MAX ? UINT64_MAX
								: leaf->last - leaf->first + 1;

	add_amount(&sums->all, bytes);
	if (leaf->accessed)
		add_amount(&sums->accessed, bytes);
	if (leaf->dirty)
		add_amount(&sums->dirty, bytes);
	add_size(&sums->leaves, leaf->lg2);
}

static bool continues(const struct show *show, const struct iopt_decode_leaf *leaf)
{
	const struct mapping *mapping = &show->pending;

	return mapping->nr && mapping->last + 1 == leaf->first &&
	       mapping->pa + (mapping->last - mapping->first) + 1 == leaf->pa &&
	       mapping->prot == leaf->prot && mapping->accessed == leaf->accessed &&
	       mapping->dirty == leaf->dirty &&
	       (!show->form->apart || mapping->leaves.sizes == 1ull << leaf->lg2);
}

static void begin_mapping(struct mapping *mapping, const struct iopt_decode_leaf *leaf)
{
	mapping->first = leaf->first;
	mapping->pa = leaf->pa;
	mapping->prot = leaf->prot;
	mapping->accessed = leaf->accessed;
	mapping->dirty = leaf->dirty;
	mapping->nr = 0;
	mapping->leaves.sizes = 0;
}

/* A form that takes leaves as they come. */
static int show_leaf(struct show *show, const struct iopt_decode_leaf *leaf)
{
	int error = form_begin_device(show);

	show->sums.mappings++;
	return error ? error : show->form->leaf(show, leaf);
}

static int take_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	struct show *show = ctx;
	struct mapping *pending = &show->pending;
	int error;

	if (!is_near(show->wish, leaf))
		return 0;
	if (show->form->sums)
		add_sums(&show->sums, leaf);
	if (!is_wanted(show->wish, leaf))
		return 0;
	if (show->form->leaf)
		return show_leaf(show, leaf);
	if (show->wish->leaves || !continues(show, leaf)) {
		error = show_pending(show);
		if (error)
			return error;
		begin_mapping(pending, leaf);
	}
	pending->last = leaf->last;
	pending->nr++;
	add_size(&pending->leaves, leaf->lg2);
	return 0;
}

static int take_table(void *ctx, const struct iopt_decode_table *table)
{
	struct show *show = ctx;

	show->tables++;
	show->sums.tables++;
	show->sums.table_bytes += table->bytes;
	show_progress(show);
	return show->form->table ? show->form->table(show, table) : 0;
}

/* Nothing can be returned here: an error waits for the device's end. */
static void take_trouble(void *ctx, const struct iopt_decode_device *device,
			 const struct iopt_decode_trouble *trouble)
{
	struct show *show = ctx;

	show->troubles++;
	show->sums.troubles++;
	show->found |= device && device->id == show->wish->id;
	if (!show->form->trouble) {
		form_print_trouble(stderr, "iopt: ", device, trouble);
		return;
	}
	if (!show->error && show->form->in_place)
		show->error = show_pending(show);
	if (!show->error)
		show->error = show->form->trouble(show, device, trouble);
}

/* ---- devices ------------------------------------------------------------------------------- */

/* There is room for a power of two. */
static bool make_room(struct show *show)
{
	const size_t nr = show->nr_shown;
	struct shown *more;

	if (nr & (nr - 1))
		return true;
	more = realloc(show->shown, (nr ? 2 * nr : 1) * sizeof(*more));
	if (!more)
		return false;
	show->shown = more;
	return true;
}

/*
 * Whose the same tables are that were shown before; they are put down if they were not. Others of
 * the same hash, if ever there are any, are shown once more.
 */
static int find_shown(struct show *show, const struct iopt_decode_device *device)
{
	const uint64_t key = same_key(device), *found = key_map_find(&show->shown_of, key);

	if (found && same_leaves(device, &show->shown[*found].device)) {
		show->same = &show->shown[*found];
		return 0;
	}
	if (!make_room(show) || (!found && key_map_add(&show->shown_of, key, show->nr_shown)))
		return -ENOMEM;
	show->shown[show->nr_shown] = (struct shown){ *device, show->nr_shown };
	show->nr_shown++;
	return 0;
}

/* A device that passes through reaches memory by its own addresses. */
static void take_passing(struct show *show)
{
	const struct mappings_wish *wish = show->wish;
	struct span span = wish->iova;

	if (wish->by_pa && wish->pa.first > span.first)
		span.first = wish->pa.first;
	if (wish->by_pa && wish->pa.last < span.last)
		span.last = wish->pa.last;
	if (!form_is_filtered(wish) || span.first > span.last || wish->accessed || wish->dirty)
		return;
	show->pending = (struct mapping){
		.first = span.first,
		.last = span.last,
		.pa = span.first,
		.prot = show->device->prot,
		.nr = 1,
	};
}

/* What it reaches. */
static int show_device(struct show *show)
{
	const bool tables = show->form->table || show->form->sums || show->progress.next;
	const struct iopt_decode_visitor visitor = {
		.ctx = show,
		.leaf = take_leaf,
		/* Tables are looked through for it. */
		.table = tables ? take_table : NULL,
		.trouble = take_trouble,
	};

	if (show->same)
		return 0;
	if (show->device->path == IOPT_DECODE_PASSES) {
		take_passing(show);
		return 0;
	}
	return iopt_decode_tables(show->source, show->device, show->wish->iova.first,
				  show->wish->iova.last, &visitor);
}

/* Who asks who reaches something wants to see these alone, and all of them. */
static int begin_device(struct show *show, const struct iopt_decode_device *device)
{
	const bool filtered = form_is_filtered(show->wish);
	int error = 0;

	show->device = device;
	show->same = NULL;
	show->begun = false;
	show->sums = (struct sums){ 0 };
	if (show->form->once && !filtered && form_stage(device).format)
		error = find_shown(show, device);
	if (!error && (show->form->devices == FORM_ALL ||
		       (show->form->devices == FORM_UNFILTERED && !filtered)))
		error = form_begin_device(show);
	return error;
}

static int take_device(void *ctx, const struct iopt_decode_device *device)
{
	struct show *show = ctx;
	int error;

	if (show->wish->one && show->wish->id != device->id)
		return 0;
	show->found = true;
	error = begin_device(show, device);
	if (!error)
		error = show_device(show);
	if (!error)
		error = show_pending(show);
	if (!error)
		error = show->error;
	if (!error && show->begun && show->form->device_end)
		error = show->form->device_end(show);
	show->devices += show->begun;
	show->device = NULL;
	show_progress(show);
	return error;
}

/* No error: entries that are not there say something, too. But so it looks if one is misspelt. */
static void tell_unknown(const struct mappings_wish *wish)
{
	char text[MAPPINGS_DEVICE_BYTES];

	fprintf(stderr, "iopt: %s: no entry for device %s\n", wish->name,
		mappings_device_text(wish->id, text));
}

int mappings_show(const struct iopt_decode_source *source, const struct mappings_wish *wish,
		  FILE *stream, uint64_t *troubles)
{
	struct show show = {
		.source = source,
		.wish = wish,
		.form = wish->form ? wish->form : &form_tree,
		.stream = stream,
	};
	const struct iopt_decode_visitor visitor = {
		.ctx = &show,
		.device = take_device,
		.trouble = take_trouble,
	};
	int error = show.form->begin ? show.form->begin(&show) : 0;

	progress_begin(&show.progress, fileno(stream));
	if (!error)
		error = iopt_decode_devices(source, &visitor);
	if (!error)
		error = show.error;
	progress_end(&show.progress);
	if (!error && show.form->end)
		error = show.form->end(&show);
	if (!error && wish->one && !show.found)
		tell_unknown(wish);
	if (show.form->free)
		show.form->free(&show);
	free(show.shown);
	key_map_free(&show.shown_of);
	*troubles = show.troubles;
	return error;
}
