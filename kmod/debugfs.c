/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * debugfs: iopt/DOMAIN/{dump,raw,stats,check}. All are made of iopt_visit(), which hands out
 * copies: nothing here holds a table, a lock or a read section while it prints, so that map and
 * unmap run on, and a reader that is slow, or stopped, keeps nothing from being freed.
 *
 *   dump   a line a leaf: first-last, physical address, size, permissions, dirty and accessed
 *   raw    a line a leaf: IOVA page number and the entries of all levels, in the layout of Intel's
 *          domain_translation_struct (drivers/iommu/intel/debugfs.c, dump_page_info())
 *   stats  tables and why they were freed
 *   check  walks all and says whether what it saw hangs together
 *
 * Beside writers a file is no snapshot: each line was true at one moment while it was read, and a
 * leaf that became a larger one in between may show in both sizes.
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "hosts/linux/linux.h"
#include "iopt/iopt.h"
#include "kmod/debugfs.h"

static struct dentry *root;

/**
 * struct reader - where an open dump or raw stands
 * @visit: behind @items
 * @items: of which @at is the next one to be shown, out of @nr
 * @path:  raw: the entries that lead to the table being read, by the level of the table that they
 *         are in; a table's item comes before what it holds
 */
struct reader {
	struct iopt_domain *domain;
	struct iopt_visit visit;
	unsigned int flags;
	unsigned int nr;
	unsigned int at;
	u64 path[IOPT_MAX_LEVELS + 1];
	struct iopt_item items[64];
};

/* The item to show next; tables that lead to it are noted on the way. NULL: no more. */
static struct iopt_item *reader_item(struct reader *reader)
{
	for (;;) {
		struct iopt_item *item = &reader->items[reader->at];

		if (reader->at == reader->nr) {
			if (reader->visit.done)
				return NULL;
			cond_resched();
			reader->nr = iopt_visit(reader->domain, &reader->visit, reader->items,
						ARRAY_SIZE(reader->items));
			reader->at = 0;
			continue;
		}
		if (!(item->flags & IOPT_ITEM_TABLE))
			return item;
		reader->path[item->level + 1] = item->entry;
		reader->at++;
	}
}

static void *reader_start(struct seq_file *m, loff_t *pos)
{
	struct reader *reader = m->private;

	if (*pos == 0) {
		iopt_visit_init(&reader->visit, 0, ~0ull, reader->flags);
		reader->nr = 0;
		reader->at = 0;
		return SEQ_START_TOKEN;
	}
	return reader_item(reader);
}

static void *reader_next(struct seq_file *m, void *item, loff_t *pos)
{
	struct reader *reader = m->private;

	++*pos;
	if (item != SEQ_START_TOKEN)
		reader->at++;
	return reader_item(reader);
}

static void reader_stop(struct seq_file *m, void *item)
{
}

static int dump_show(struct seq_file *m, void *v)
{
	const struct iopt_item *item = v;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "%-18s %-18s %-18s %s\n", "first", "last", "physical",
			   "lg2 perm flags");
		return 0;
	}
	seq_printf(m, "0x%016llx 0x%016llx 0x%016llx %3u %c%c%c  %c%c\n", item->first, item->last,
		   item->pa, item->leaf_lg2, item->prot & IOPT_READ ? 'r' : '-',
		   item->prot & IOPT_WRITE ? 'w' : '-', item->prot & IOPT_EXEC ? 'x' : '-',
		   item->flags & IOPT_ITEM_ACCESSED ? 'a' : '-',
		   item->flags & IOPT_ITEM_DIRTY ? 'd' : '-');
	return 0;
}

static int raw_show(struct seq_file *m, void *v)
{
	struct reader *reader = m->private;
	const struct iopt_item *item = v;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "%-17s\t%-18s\t%-18s\t%-18s\t%-18s\t%-s\n", "IOVA_PFN", "PML5E",
			   "PML4E", "PDPE", "PDE", "PTE");
		return 0;
	}
	reader->path[item->level] = item->entry;
	seq_printf(m, "0x%013llx |", item->first >> 12);
	for (int level = 4; level >= (int)item->level; level--)
		seq_printf(m, "\t0x%016llx", reader->path[level]);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations dump_operations = {
	.start = reader_start,
	.next = reader_next,
	.stop = reader_stop,
	.show = dump_show,
};

static const struct seq_operations raw_operations = {
	.start = reader_start,
	.next = reader_next,
	.stop = reader_stop,
	.show = raw_show,
};

static int reader_open(struct inode *inode, struct file *file,
		       const struct seq_operations *operations, unsigned int flags)
{
	struct reader *reader = __seq_open_private(file, operations, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->domain = inode->i_private;
	reader->flags = flags;
	return 0;
}

static int dump_open(struct inode *inode, struct file *file)
{
	return reader_open(inode, file, &dump_operations, IOPT_VISIT_LEAVES);
}

static int raw_open(struct inode *inode, struct file *file)
{
	return reader_open(inode, file, &raw_operations, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
}

static const struct file_operations dump_files = {
	.owner = THIS_MODULE,
	.open = dump_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static const struct file_operations raw_files = {
	.owner = THIS_MODULE,
	.open = raw_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int stats_show(struct seq_file *m, void *v)
{
	struct iopt_stats stats;

	iopt_stats(m->private, &stats);
	seq_printf(m, "tables        %llu (at most %llu)\n", stats.tables, stats.tables_peak);
	seq_printf(m, "table bytes   %llu (at most %llu)\n", stats.table_bytes,
		   stats.table_bytes_peak);
	for (unsigned int level = 0; level < IOPT_MAX_LEVELS; level++)
		if (stats.live[level])
			seq_printf(m, "level %u       %llu\n", level, stats.live[level]);
	seq_printf(m, "freed: race   %llu\n", stats.freed[IOPT_FREED_RACE]);
	seq_printf(m, "freed: block  %llu\n", stats.freed[IOPT_FREED_BLOCK]);
	seq_printf(m, "freed: unmap  %llu\n", stats.freed[IOPT_FREED_UNMAP]);
	seq_printf(m, "freed: trim   %llu\n", stats.freed[IOPT_FREED_TRIM]);
	seq_printf(m, "freed: merge  %llu\n", stats.freed[IOPT_FREED_MERGE]);
	seq_printf(m, "split         %llu\nmerged        %llu\ngrown         %llu\n", stats.split,
		   stats.merged, stats.grown);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/*
 * What is wrong with an item, where the last leaf ended below @from; NULL: nothing. A leaf may
 * begin below it if it has become a larger one since, by a merge or by a block that was mapped.
 */
static const char *item_fault(const struct iopt_item *item, u64 from)
{
	if (item->first > item->last)
		return "ends before it begins";
	if (item->flags & IOPT_ITEM_TABLE)
		return NULL;
	if (item->last < from)
		return "comes after what lies above it";
	if (item->last - item->first != (1ull << item->leaf_lg2) - 1)
		return "is not as large as its entry says";
	if ((item->first | item->pa) & ((1ull << item->leaf_lg2) - 1))
		return "is not aligned to its size";
	if (!(item->prot & (IOPT_READ | IOPT_WRITE)))
		return "permits nothing";
	return NULL;
}

static int check_show(struct seq_file *m, void *v)
{
	u64 leaves = 0, tables = 0, faults = 0, from = 0;
	struct iopt_item items[16];
	struct iopt_visit visit;
	size_t nr;

	iopt_visit_init(&visit, 0, ~0ull, IOPT_VISIT_LEAVES | IOPT_VISIT_TABLES);
	while ((nr = iopt_visit(m->private, &visit, items, ARRAY_SIZE(items)))) {
		for (size_t i = 0; i < nr; i++) {
			const char *fault = item_fault(&items[i], from);

			if (fault && faults++ < 20)
				seq_printf(m, "0x%016llx: entry 0x%016llx %s\n", items[i].first,
					   items[i].entry, fault);
			if (items[i].flags & IOPT_ITEM_TABLE) {
				tables++;
			} else {
				leaves++;
				from = items[i].last + 1;
			}
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	seq_printf(m, "%s: %llu leaves, %llu tables, %llu faults\n", faults ? "faulty" : "ok",
		   leaves, tables, faults);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(check);

struct dentry *iopt_linux_show(struct iopt_domain *domain, const char *name)
{
	struct dentry *folder = debugfs_create_dir(name, root);

	debugfs_create_file("dump", 0400, folder, domain, &dump_files);
	debugfs_create_file("raw", 0400, folder, domain, &raw_files);
	debugfs_create_file("stats", 0400, folder, domain, &stats_fops);
	debugfs_create_file("check", 0400, folder, domain, &check_fops);
	return folder;
}

void iopt_linux_hide(struct dentry *folder)
{
	debugfs_remove(folder);
}

void iopt_debugfs_init(void)
{
	root = debugfs_create_dir("iopt", NULL);
}

void iopt_debugfs_exit(void)
{
	debugfs_remove(root);
}
