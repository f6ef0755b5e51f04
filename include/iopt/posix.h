/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The posix host: what the installed library needs to know of the process that it runs in, and what
 * it offers beside <iopt/iopt.h>: threads and RCU, where table memory lies, and for tests failing
 * allocations and a watch over freed tables.
 *
 * Table memory is one arena of address space, reserved at the first use and filled with 2 MiB
 * chunks (huge pages where the system gives them). A table's physical address is its offset in the
 * arena plus iopt_posix_config::base, so that the same memory can be handed to something else that
 * walks it.
 */
#ifndef IOPT_POSIX_H
#define IOPT_POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What these headers declare is all that the shared library shows. */
#pragma GCC visibility push(default)

/**
 * struct iopt_posix_config - the arena of table memory
 * @bytes:   size of the arena, a multiple of 2 MiB; address space only until used; 0: 64 GiB,
 *           or what there is of it
 * @base:    physical address of its first byte, a multiple of 2 MiB
 * @fd:      a file (memfd) to map it from, so that others can map it too; -1: anonymous memory
 *           (0 is a file like any other: a zeroed structure names standard input)
 * @offset:  where in that file, a multiple of 2 MiB
 * @shuffle: not 0: hand tables out in a random order with this seed, as memory that has been in use
 *           for long does (benchmarks)
 * @poison:  fill freed tables with IOPT_POSIX_POISON, keep them from reuse as long as can be, and
 *           so let iopt_posix_table_state() tell what became of them (tests)
 * @image:   keep an image of memory as a walker that does not snoop reads it: see
 *           iopt_posix_image_va() (tests)
 */
struct iopt_posix_config {
	uint64_t bytes;
	uint64_t base;
	int fd;
	uint64_t offset;
	uint64_t shuffle;
	bool poison;
	bool image;
};

/*
 * Every 8 bytes of a freed table while iopt_posix_config::poison: not present where bit 0 says so,
 * and with reserved bits set where it is present (vtd-ss); its address lies outside every arena.
 */
#define IOPT_POSIX_POISON 0x5fee5fee5fee5feeULL

/**
 * iopt_posix_setup() - choose the arena before the first domain is created
 * @config: what it is to be
 *
 * Return: 0; -EINVAL: sizes that are not multiples of 2 MiB or a file that is too small; -EBUSY:
 * the arena is in use already; -ENOMEM: no address space.
 * Context: before or after all use of the library (all domains destroyed), one thread.
 */
int iopt_posix_setup(const struct iopt_posix_config *config);

/**
 * iopt_posix_thread_register(), iopt_posix_thread_unregister() - make a thread known to RCU
 *
 * Optional: a thread is registered by its first call into the library and unregistered when it
 * ends. An embedder that wants the cost at a moment of its own choosing calls these. A thread that
 * uses liburcu's memb flavour itself and registered there needs nothing.
 */
void iopt_posix_thread_register(void);
void iopt_posix_thread_unregister(void);

/**
 * iopt_posix_barrier() - wait until all tables handed to RCU so far are free
 *
 * Context: outside iopt calls and callbacks; sleeps.
 */
void iopt_posix_barrier(void);

/**
 * iopt_posix_va() - where the byte at a physical address of table memory is mapped
 * @pa: physical address
 *
 * Return: the address; NULL if it lies outside the arena.
 * Context: any.
 */
void *iopt_posix_va(uint64_t pa);

/**
 * iopt_posix_image_va() - the byte at a physical address as a walker that does not snoop reads it
 * @pa: physical address
 *
 * With iopt_posix_config::image there is a second arena, which holds what was written back, a cache
 * line at a time, and nothing else: what is stored later shows there when its line is written back
 * again, and a table that is freed and used anew keeps its old content until then. What never was
 * written back reads as IOPT_POSIX_POISON with poison, else as zero. The 8-byte words of it change
 * atomically; it is not to be written to.
 *
 * Return: the address; NULL if it lies outside the arena, or there is no image.
 * Context: any.
 */
void *iopt_posix_image_va(uint64_t pa);

/** struct iopt_posix_writebacks - of domains with IOPT_NONCOHERENT */
struct iopt_posix_writebacks {
	uint64_t calls; /* ranges */
	uint64_t lines; /* of 64 bytes, in all of them */
};

/** iopt_posix_writebacks() - what the calling thread has written back to memory so far */
void iopt_posix_writebacks(struct iopt_posix_writebacks *writebacks);

/** enum iopt_posix_state - what a page of the arena is */
enum iopt_posix_state {
	IOPT_POSIX_NO_TABLE, /* not table memory: outside the arena, never used, or descriptors */
	IOPT_POSIX_LIVE,     /* allocated, and the hardware may reach it */
	IOPT_POSIX_WAITING,  /* unlinked and invalidated: only software readers may */
	IOPT_POSIX_FREE,     /* free */
};

/**
 * iopt_posix_table_state() - what became of the table at a physical address
 * @pa:         any address in it
 * @generation: set to a number that changes with every allocation of this page; may be NULL
 *
 * Context: any; the answer may be old when it arrives, the generation tells.
 */
enum iopt_posix_state iopt_posix_table_state(uint64_t pa, uint32_t *generation);

/** struct iopt_posix_memory - table memory of the process, in bytes of tables, not of chunks */
struct iopt_posix_memory {
	uint64_t live;		   /* allocated */
	uint64_t waiting;	   /* handed to RCU */
	uint64_t peak;		   /* most of both together */
	uint64_t chunks;	   /* bytes taken from the system, descriptors included */
	uint64_t tables;	   /* number of live tables */
	uint32_t descriptor_bytes; /* beside each 4 KiB, or each KiB of smaller tables */
};

/** iopt_posix_memory() - read these numbers; single ones are exact */
void iopt_posix_memory(struct iopt_posix_memory *memory);

/**
 * iopt_posix_fail() - let allocations fail, for tests
 * @nth: the calling thread's @nth allocation from now on fails (1: the next one), and with @repeat
 *       all later ones too; 0: none fails
 * @repeat: see @nth
 *
 * Return: how many allocations the thread had made since the last call of this function (so that a
 * test knows when it has failed each in turn).
 */
uint64_t iopt_posix_fail(uint64_t nth, bool repeat);

/**
 * iopt_posix_breaches() - how often the embedder broke the contract (checked builds)
 *
 * A checked build reports each on standard error; other builds find none.
 */
uint64_t iopt_posix_breaches(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
