/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writing cache lines back to memory, for walkers that do not snoop. From user space this needs an
 * instruction that user space may execute.
 */
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

void iopt_posix_writeback(const void *start, size_t bytes)
{
	uintptr_t step = line_bytes();
	uintptr_t end = (uintptr_t)start + bytes;
	uintptr_t line;

	fence();
	for (line = (uintptr_t)start & ~(step - 1); line < end; line += step)
		writeback_line(line);
	fence();
}
