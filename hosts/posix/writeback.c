/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writing cache lines back to memory, for walkers that do not snoop. From user space this needs an
 * instruction that user space may execute. Also the image that shows a test what such a walker
 * reads (iopt_posix_config::image), and the numbers.
 */
#include <pthread.h>

#include "hosts/posix/internal.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* CPUID leaf 1, EBX bits 15 to 8, in units of 8 bytes: as in Linux arch/x86/kernel/cpu/common.c,
 * cpu_detect(). */
static uintptr_t read_line_bytes(void)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	return ((ebx >> 8) & 0xff) * 8;
}

static void writeback_line(uintptr_t line)
{
	__asm__ volatile("clflush %0" : "+m"(*(volatile char *)line));
}

/* Fences on both sides as in Linux arch/x86/mm/pat/set_memory.c, clflush_cache_range(). */
static void fence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

#elif defined(__aarch64__)

/* CTR_EL0 bits 19 to 16, lg2 in units of 4 bytes: as in Linux arch/arm64/include/asm/assembler.h,
 * dcache_line_size; clean to the point of coherency as in arch/arm64/mm/cache.S,
 * dcache_clean_poc(). */
static uintptr_t read_line_bytes(void)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	return 4u << ((ctr >> 16) & 0xf);
}

static void writeback_line(uintptr_t line)
{
	__asm__ volatile("dc cvac, %0" : : "r"(line) : "memory");
}

static void fence(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

#else

/* No such instruction here: what walks this process's tables is a thread of it or of another one,
 * and those snoop. They need the order alone. */
static uintptr_t read_line_bytes(void)
{
	return 64;
}

static void writeback_line(uintptr_t line)
{
	(void)line;
}

static void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif

/* Read once; whoever comes at the same time reads the same. */
static uintptr_t line_bytes(void)
{
	static uintptr_t bytes;
	uintptr_t known = __atomic_load_n(&bytes, __ATOMIC_RELAXED);

	if (!known) {
		known = read_line_bytes();
		__atomic_store_n(&bytes, known, __ATOMIC_RELAXED);
	}
	return known;
}

/* ---- the image ----------------------------------------------------------------------------- */

#define IMAGE_LOCKS 64

static pthread_mutex_t image_locks[IMAGE_LOCKS] = {
	[0 ... IMAGE_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER,
};

/*
 * Memory never goes back: of two threads that write the same line back, the one that comes later
 * has the newer content. Hence the lock from the load to the store. To the thread a write-back is
 * no access: where callers broke the engine's contract it may be of a table that goes.
 */
static __attribute__((no_sanitize("thread"))) void image_line(uintptr_t line)
{
	pthread_mutex_t *lock = &image_locks[line / IOPT_HOST_LINE % IMAGE_LOCKS];
	const volatile uint64_t *from = (const volatile uint64_t *)line;
	uint64_t *to = (uint64_t *)(line + iopt_posix_image);

	pthread_mutex_lock(lock);
	for (size_t i = 0; i < IOPT_HOST_LINE / sizeof(*to); i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELEASE);
	pthread_mutex_unlock(lock);
}

/* ---- write-back ---------------------------------------------------------------------------- */

static _Thread_local struct iopt_posix_writebacks done;

void iopt_posix_writebacks(struct iopt_posix_writebacks *writebacks)
{
	*writebacks = done;
}

void iopt_posix_writeback(const void *start, size_t bytes)
{
	uintptr_t step = line_bytes();
	uintptr_t end = (uintptr_t)start + bytes;
	uintptr_t line;

	fence();
	for (line = (uintptr_t)start & ~(step - 1); line < end; line += step)
		writeback_line(line);
	fence();
	done.calls++;
	done.lines += bytes / IOPT_HOST_LINE;
	if (iopt_posix_image)
		for (line = (uintptr_t)start; line + IOPT_HOST_LINE <= end; line += IOPT_HOST_LINE)
			image_line(line);
}
