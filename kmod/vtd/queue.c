/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The invalidation queue: a ring of descriptors that the unit reads, and a word for each place into
 * which a wait command there has its number written when all before it is done.
 *
 * Who waits looks at its own word and holds no lock. Another wait may come to the same place later
 * and write a later number: so a number that is not before its own says that it is done.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/panic.h>

#include "kmod/vtd/vtd.h"

#define LOOKS_BETWEEN_CHECKS 4096u
#define MOST_SECONDS	     10

static unsigned int queue_order(const struct vtd_unit *unit)
{
	return unit->scalable ? 1 : 0; /* 256 of 32 or of 16 bytes */
}

int vtd_queue_init(struct vtd_unit *unit)
{
	struct vtd_queue *queue = &unit->queue;

	raw_spin_lock_init(&queue->lock);
	queue->stride_lg2 = unit->scalable ? 5 : 4;
	queue->room = VTD_QUEUE_NR - 1;
	queue->descriptors = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, queue_order(unit));
	queue->status = (void *)get_zeroed_page(GFP_KERNEL);
	if (queue->descriptors && queue->status)
		return 0;
	vtd_queue_fini(unit);
	return -ENOMEM;
}

void vtd_queue_fini(struct vtd_unit *unit)
{
	struct vtd_queue *queue = &unit->queue;

	free_pages((unsigned long)queue->descriptors, queue_order(unit));
	free_page((unsigned long)queue->status);
	queue->descriptors = NULL;
	queue->status = NULL;
}

/* Commands are read by the unit as memory is ordered; queues are always snooped. */
static void put_command(struct vtd_queue *queue, u64 low, u64 high)
{
	u64 *words = queue->descriptors + ((size_t)queue->tail << queue->stride_lg2);

	words[0] = low;
	words[1] = high;
	queue->tail = (queue->tail + 1) % VTD_QUEUE_NR;
	queue->room--;
}

static bool still_waiting(const struct vtd_queue *queue, u32 place, u32 number)
{
	return (s32)(READ_ONCE(queue->status[place]) - number) < 0;
}

/* Panics if the unit said that it can't go on, or if it says nothing for too long. */
static void check_unit(struct vtd_unit *unit, ktime_t since)
{
	u32 status = readl(unit->regs + DMAR_FSTS);
	u64 head = readq(unit->regs + DMAR_IQH);
	const u64 *words = unit->queue.descriptors + (head & GENMASK_ULL(18, 4));

	if (status & FSTS_IQE)
		panic("iopt-vtd: unit at %#llx refuses a command, %#llx %#llx\n",
		      unit->dmar->address, words[0], words[1]);
	if (ktime_ms_delta(ktime_get(), since) > MOST_SECONDS * MSEC_PER_SEC)
		panic("iopt-vtd: unit at %#llx is mute: status %#x, head %#llx, tail %#llx\n",
		      unit->dmar->address, status, head, readq(unit->regs + DMAR_IQT));
}

static void look_again(struct vtd_unit *unit, u32 *looks, ktime_t *since)
{
	cpu_relax();
	if (++*looks % LOOKS_BETWEEN_CHECKS)
		return;
	if (!*since)
		*since = ktime_get();
	check_unit(unit, *since);
}

/* The queue's lock is held. */
static void make_room(struct vtd_unit *unit, u32 wanted)
{
	struct vtd_queue *queue = &unit->queue;
	u32 looks = 0;
	ktime_t since = 0;

	while (queue->room < wanted) {
		u32 head = (u32)(readq(unit->regs + DMAR_IQH) >> queue->stride_lg2);

		queue->room = (head - queue->tail - 1) % VTD_QUEUE_NR;
		if (queue->room < wanted)
			look_again(unit, &looks, &since);
	}
}

void vtd_submit(struct vtd_unit *unit, const struct vtd_command *commands, unsigned int nr)
{
	struct vtd_queue *queue = &unit->queue;
	u32 place, number, looks = 0;
	unsigned long flags;
	ktime_t since = 0;

	raw_spin_lock_irqsave(&queue->lock, flags);
	make_room(unit, nr + 1);
	for (unsigned int i = 0; i < nr; i++)
		put_command(queue, commands[i].low, commands[i].high);
	place = queue->tail;
	number = ++queue->number;
	put_command(queue, QI_IWD | QI_IWD_STATUS | FIELD_PREP(QI_IWD_DATA, number),
		    virt_to_phys(&queue->status[place]));
	/* Ordered behind the descriptors, and behind what was cleared in tables: writel(). */
	writel(queue->tail << queue->stride_lg2, unit->regs + DMAR_IQT);
	raw_spin_unlock_irqrestore(&queue->lock, flags);

	while (still_waiting(queue, place, number))
		look_again(unit, &looks, &since);
	/* What the caller does with the memory comes after. */
	dma_rmb();
}

void vtd_submit_global(struct vtd_unit *unit)
{
	const struct vtd_command commands[] = {
		{ QI_CC | QI_GLOBAL, 0 },
		{ QI_PC | QI_PC_ALL, 0 },
		{ QI_IOTLB | QI_GLOBAL | unit->drain, 0 },
	};

	vtd_submit(unit, &commands[0], 1);
	if (unit->scalable)
		vtd_submit(unit, &commands[1], 1);
	vtd_submit(unit, &commands[2], 1);
}
