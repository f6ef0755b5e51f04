/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See hw.h. QEMU's qtest protocol: a command a line, and a line in answer to each, in order (QEMU
 * system/qtest.c). Commands are collected and sent together, so that a write costs no round trip;
 * a read waits for its own answer and with it for all before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iopt/posix.h>

#include "unit.h"

/* Commands under way: fewer than fill a socket's buffers both ways. */
#define LINK_COMMANDS 1024u
#define LINK_LINE     64u

/* QEMU answers within microseconds, and starts within 0.2 s; this machine may be busy. */
#define ANSWER_SECONDS 20

#define MOST_ARGUMENTS 256u

/**
 * struct hw_link - the way to a QEMU
 * @pid:     the process
 * @socket:  ours
 * @words:   what it said on standard error, a file
 * @ram:     its memory, a file
 * @bios:    and its BIOS
 * @old:     it is this machine's own, see hw_reader_available()
 * @out:     commands that were not sent yet
 * @nr_out:  bytes of them
 * @wanted:  for each command under way where its answer goes, or NULL
 * @nr:      how many are under way
 * @in:      answers that were not read yet
 * @nr_in:   bytes of them
 */
struct hw_link {
	pid_t pid;
	int socket;
	int words;
	int ram;
	int bios;
	bool old;
	char out[LINK_COMMANDS * LINK_LINE];
	size_t nr_out;
	uint64_t *wanted[LINK_COMMANDS];
	size_t nr;
	char in[1 << 16];
	size_t nr_in;
};

/* ---- the end ------------------------------------------------------------------------------- */

/* The last of what QEMU said. */
static void print_words(const struct hw_link *link)
{
	char text[1024];
	off_t end = lseek(link->words, 0, SEEK_END);
	off_t start = end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) : 0;
	ssize_t nr = pread(link->words, text, sizeof(text), start);

	if (nr > 0)
		fprintf(stderr, "hw: QEMU said:\n%.*s", (int)nr, text);
}

void hw_die(struct hw *hw, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "hw: %s: ", hw->unit->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	if (hw->link && hw->link->pid > 0) {
		print_words(hw->link);
		kill(hw->link->pid, SIGKILL);
	}
	_exit(EXIT_FAILURE);
}

/* ---- commands ------------------------------------------------------------------------------ */

static void link_send(struct hw *hw)
{
	struct hw_link *link = hw->link;
	size_t sent = 0;

	while (sent < link->nr_out) {
		ssize_t n = send(link->socket, link->out + sent, link->nr_out - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			hw_die(hw, "QEMU is gone (%s)", strerror(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	link->nr_out = 0;
}

static void link_receive(struct hw *hw)
{
	struct hw_link *link = hw->link;
	struct pollfd ready = { .fd = link->socket, .events = POLLIN };
	const char *wished = getenv("IOPT_QEMU_SECONDS");
	int seconds = wished ? atoi(wished) : ANSWER_SECONDS;
	ssize_t n;
	int found;

	do
		found = poll(&ready, 1, seconds * 1000);
	while (found < 0 && errno == EINTR);
	if (!found)
		hw_die(hw, "QEMU does not answer within %d s", seconds);
	n = recv(link->socket, link->in + link->nr_in, sizeof(link->in) - link->nr_in, 0);
	if (n <= 0)
		hw_die(hw, "QEMU is gone (%s)", n ? strerror(errno) : "it closed the connection");
	link->nr_in += (size_t)n;
}

/* "OK", or "OK VALUE". Others, "IRQ ...", come in between and are not answers. */
static bool link_answer(struct hw *hw, const char *line, uint64_t *wanted)
{
	if (!strncmp(line, "IRQ ", 4))
		return false;
	if (strncmp(line, "OK", 2))
		hw_die(hw, "QEMU answers '%s'", line);
	if (wanted)
		*wanted = strtoull(line + 2, NULL, 0);
	return true;
}

/* Send what was collected and take the answers to all that is under way. */
static void link_flush(struct hw *hw)
{
	struct hw_link *link = hw->link;
	size_t answered = 0;

	link_send(hw);
	while (answered < link->nr) {
		char *line = link->in, *end;

		link_receive(hw);
		while ((end = memchr(line, '\n', link->nr_in - (size_t)(line - link->in)))) {
			*end = 0;
			if (answered < link->nr && link_answer(hw, line, link->wanted[answered]))
				answered++;
			line = end + 1;
		}
		link->nr_in -= (size_t)(line - link->in);
		memmove(link->in, line, link->nr_in);
	}
	link->nr = 0;
}

/* Collect a command; its answer's value goes to *wanted by the next flush. */
__attribute__((format(printf, 3, 4))) static void command(struct hw *hw, uint64_t *wanted,
							  const char *format, ...)
{
	struct hw_link *link = hw->link;
	va_list arguments;

	if (link->nr == LINK_COMMANDS)
		link_flush(hw);
	va_start(arguments, format);
	link->nr_out += (size_t)vsnprintf(link->out + link->nr_out, LINK_LINE, format, arguments);
	va_end(arguments);
	link->wanted[link->nr++] = wanted;
}

uint32_t hw_read32(struct hw *hw, uint64_t pa)
{
	uint64_t value;

	command(hw, &value, "readl 0x%jx\n", (uintmax_t)pa);
	link_flush(hw);
	return (uint32_t)value;
}

uint64_t hw_read64(struct hw *hw, uint64_t pa)
{
	uint64_t value;

	command(hw, &value, "readq 0x%jx\n", (uintmax_t)pa);
	link_flush(hw);
	return value;
}

void hw_write32(struct hw *hw, uint64_t pa, uint32_t value)
{
	command(hw, NULL, "writel 0x%jx 0x%x\n", (uintmax_t)pa, value);
}

void hw_write64(struct hw *hw, uint64_t pa, uint64_t value)
{
	command(hw, NULL, "writeq 0x%jx 0x%jx\n", (uintmax_t)pa, (uintmax_t)value);
}

/* ---- PCI ----------------------------------------------------------------------------------- */

/* As in Linux include/uapi/linux/pci_regs.h, PCI_COMMAND_* and PCI_BASE_ADDRESS_0. */
#define PCI_COMMAND	   4u
#define PCI_COMMAND_MEMORY 2u
#define PCI_COMMAND_MASTER 4u
#define PCI_BAR0	   0x10u

static void config_write32(struct hw *hw, uint16_t bdf, unsigned offset, uint32_t value)
{
	if (hw->unit->ecam) {
		hw_write32(hw, hw->unit->ecam + ((uint64_t)bdf << 12) + offset, value);
		return;
	}
	command(hw, NULL, "outl 0xcf8 0x%x\n", 1u << 31 | (unsigned)bdf << 8 | offset);
	command(hw, NULL, "outl 0xcfc 0x%x\n", value);
}

static uint32_t config_read32(struct hw *hw, uint16_t bdf, unsigned offset)
{
	uint64_t value;

	if (hw->unit->ecam)
		return hw_read32(hw, hw->unit->ecam + ((uint64_t)bdf << 12) + offset);
	command(hw, NULL, "outl 0xcf8 0x%x\n", 1u << 31 | (unsigned)bdf << 8 | offset);
	command(hw, &value, "inl 0xcfc\n");
	link_flush(hw);
	return (uint32_t)value;
}

void hw_enable(struct hw *hw, struct hw_device *device, uint16_t bdf, uint64_t bar)
{
	if (config_read32(hw, bdf, 0) == ~0u)
		hw_die(hw, "there is no function %02x.%x", bdf >> 3, bdf & 7);
	config_write32(hw, bdf, PCI_BAR0, (uint32_t)bar);
	if (config_read32(hw, bdf, PCI_BAR0) & 4) /* 64 bits */
		config_write32(hw, bdf, PCI_BAR0 + 4, (uint32_t)(bar >> 32));
	config_write32(hw, bdf, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	device->bdf = bdf;
	device->bar = bar;
}

/* ---- devices ------------------------------------------------------------------------------- */

/* QEMU include/hw/misc/iommu-testdev.h, ITD_*. */
#define ITD_TRIGGER	 0x00u
#define ITD_GVA		 0x04u
#define ITD_LEN		 0x0cu
#define ITD_RESULT	 0x10u
#define ITD_DBELL	 0x14u
#define ITD_ATTRS	 0x18u
#define ITD_GPA		 0x1cu
#define ITD_NONSECURE	 (1u << 1 | 1u << 3) /* space is non-secure, and valid */
#define ITD_ERR_TX_FAIL	 0xdead0002u
#define ITD_ERR_RD_FAIL	 0xdead0003u
#define ITD_ERR_MISMATCH 0xdead0004u

static void dma_queue(struct hw *hw, const struct hw_dma *dma, uint64_t *result)
{
	const uint64_t bar = hw->devices[dma->device].bar;

	hw_write32(hw, bar + ITD_GVA, (uint32_t)dma->iova);
	hw_write32(hw, bar + ITD_GVA + 4, (uint32_t)(dma->iova >> 32));
	hw_write32(hw, bar + ITD_GPA, (uint32_t)dma->pa);
	hw_write32(hw, bar + ITD_GPA + 4, (uint32_t)(dma->pa >> 32));
	hw_write32(hw, bar + ITD_LEN, dma->bytes);
	hw_write32(hw, bar + ITD_DBELL, 1);
	command(hw, NULL, "readl 0x%jx\n", (uintmax_t)(bar + ITD_TRIGGER));
	command(hw, result, "readl 0x%jx\n", (uintmax_t)(bar + ITD_RESULT));
}

static enum hw_result dma_result(struct hw *hw, uint64_t result)
{
	switch (result) {
	case 0: return HW_LANDED;
	case ITD_ERR_TX_FAIL: return HW_FAULTED;
	case ITD_ERR_RD_FAIL:
	case ITD_ERR_MISMATCH: return HW_ELSEWHERE;
	default: hw_die(hw, "iommu-testdev says 0x%jx", (uintmax_t)result);
	}
}

#define DMA_BATCH 64u

void hw_dma(struct hw *hw, struct hw_dma *dma, size_t nr)
{
	uint64_t results[DMA_BATCH];

	pthread_mutex_lock(&hw->lock);
	for (size_t first = 0; first < nr; first += DMA_BATCH) {
		size_t batch = nr - first < DMA_BATCH ? nr - first : DMA_BATCH;

		for (size_t i = 0; i < batch; i++)
			dma_queue(hw, &dma[first + i], &results[i]);
		link_flush(hw);
		for (size_t i = 0; i < batch; i++)
			dma[first + i].result = dma_result(hw, results[i]);
	}
	pthread_mutex_unlock(&hw->lock);
}

enum hw_result hw_dma_one(struct hw *hw, unsigned device, uint64_t iova, uint64_t pa)
{
	struct hw_dma dma = { .device = device, .iova = iova, .pa = pa, .bytes = 4 };

	hw_dma(hw, &dma, 1);
	return dma.result;
}

/* QEMU hw/misc/edu.c, edu_mmio_write(). It works after 100 ms, which pass when they are told to. */
#define EDU_SRC	   0x80u
#define EDU_DST	   0x88u
#define EDU_COUNT  0x90u
#define EDU_CMD	   0x98u
#define EDU_RUN	   1u
#define EDU_TO_RAM 2u
#define EDU_BUFFER 0x40000u

static void reader_run(struct hw *hw, uint64_t src, uint64_t dst, uint32_t bytes, uint32_t cmd)
{
	const uint64_t bar = hw->reader.bar;

	pthread_mutex_lock(&hw->lock);
	hw_write64(hw, bar + EDU_SRC, src);
	hw_write64(hw, bar + EDU_DST, dst);
	hw_write64(hw, bar + EDU_COUNT, bytes);
	hw_write64(hw, bar + EDU_CMD, cmd);
	/* Where a processor runs, time does, too. */
	if (!hw->link->old)
		command(hw, NULL, "clock_step %u\n", 110000000u);
	for (unsigned tries = 0; hw_read64(hw, bar + EDU_CMD) & EDU_RUN; tries++) {
		if (!hw->link->old || tries > 1000)
			hw_die(hw, "edu is still at it");
		usleep(5000);
	}
	pthread_mutex_unlock(&hw->lock);
}

void hw_reader_load(struct hw *hw, uint64_t iova, uint32_t bytes)
{
	reader_run(hw, iova, EDU_BUFFER, bytes, EDU_RUN);
}

void hw_reader_store(struct hw *hw, uint64_t iova, uint32_t bytes)
{
	reader_run(hw, EDU_BUFFER, iova, bytes, EDU_RUN | EDU_TO_RAM);
}

bool hw_fault(struct hw *hw, struct hw_fault *fault)
{
	bool found;

	pthread_mutex_lock(&hw->lock);
	found = hw->unit->fault(hw, fault);
	pthread_mutex_unlock(&hw->lock);
	return found;
}

/* ---- starting and stopping ------------------------------------------------------------------ */

/* Where scripts/hw-tools put QEMU. */
static const char *qemu_folder(void)
{
	const char *folder = getenv("IOPT_QEMU");

	return folder ? folder : "";
}

const char *hw_available(void)
{
	char path[4096];

	if (!*qemu_folder())
		return "IOPT_QEMU names no folder that scripts/hw-tools filled";
	snprintf(path, sizeof(path), "%s/versions", qemu_folder());
	return access(path, R_OK) ? "there is no QEMU in the folder that IOPT_QEMU names" : NULL;
}

/* Whether one of the folders of PATH has a program. */
static bool on_path(const char *program)
{
	const char *at = getenv("PATH");
	char path[4096];

	while (at && *at) {
		int length = (int)strcspn(at, ":");

		snprintf(path, sizeof(path), "%.*s/%s", length, at, program);
		if (!access(path, X_OK))
			return true;
		at += length + (at[length] == ':');
	}
	return false;
}

const char *hw_reader_available(void)
{
	const char *why = hw_available();

	return why && on_path("qemu-system-x86_64") ? NULL : why;
}

struct arguments {
	const char *of[MOST_ARGUMENTS + 1];
	size_t nr;
};

/* Kept for the life of the process: there are few. */
__attribute__((format(printf, 2, 3))) static void add(struct arguments *arguments,
						      const char *format, ...)
{
	va_list values;
	char *text;

	va_start(values, format);
	if (arguments->nr == MOST_ARGUMENTS || vasprintf(&text, format, values) < 0)
		abort();
	va_end(values);
	arguments->of[arguments->nr++] = text;
}

static uint16_t bdf_of(const struct hw *hw, unsigned number)
{
	return (uint16_t)((hw->unit->slot << 3) + number);
}

static void add_all(struct arguments *arguments, const char *const *texts)
{
	for (; *texts; texts++)
		add(arguments, "%s", *texts);
}

/*
 * QEMU 11 has an accelerator that runs nothing. One of Debian 12 runs its processor: it halts, with
 * interrupts off, which is all that the BIOS has it do.
 */
static void add_accelerator(const struct hw *hw, struct arguments *arguments)
{
	if (!hw->link->old) {
		add_all(arguments, (const char *const[]){ "-accel", "qtest", NULL });
		return;
	}
	add_all(arguments, (const char *const[]){ "-accel", "tcg", "-bios", NULL });
	add(arguments, "/proc/self/fd/%d", hw->link->bios);
}

static void arguments_of(const struct hw *hw, struct arguments *arguments)
{
	const struct hw_link *link = hw->link;

	if (link->old)
		add(arguments, "%s", hw->unit->qemu);
	else
		add(arguments, "%s/%s", qemu_folder(), hw->unit->qemu);
	add_all(arguments, hw->unit->arguments);
	add_all(arguments, (const char *const[]){ "-display", "none", "-nodefaults", "-qtest",
						  "stdio", "-qtest-log", "none", NULL });
	add_accelerator(hw, arguments);
	add(arguments, "-m");
	add(arguments, "%juM", (uintmax_t)(HW_RAM_BYTES >> 20));
	add(arguments, "-object");
	add(arguments, "memory-backend-file,id=ram,size=%juM,mem-path=/proc/self/fd/%d,share=on",
	    (uintmax_t)(HW_RAM_BYTES >> 20), link->ram);
	for (unsigned i = 0; i <= hw->nr_devices; i++) {
		uint16_t bdf = bdf_of(hw, i);

		add(arguments, "-device");
		add(arguments, "%s,addr=%x.%x%s",
		    i < hw->nr_devices ? "iommu-testdev" : "edu,dma_mask=0xffffffffffffffff",
		    bdf >> 3, bdf & 7, bdf & 7 ? "" : ",multifunction=on");
	}
}

/* In the child: it goes when we go, however that comes. */
static void become_qemu(const struct hw *hw, int socket, pid_t parent)
{
	struct arguments arguments = { .nr = 0 };

	arguments_of(hw, &arguments);
	fcntl(hw->link->ram, F_SETFD, 0);
	fcntl(hw->link->bios, F_SETFD, 0);
	dup2(socket, 0);
	dup2(socket, 1);
	dup2(hw->link->words, 2);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execvp(arguments.of[0], (char *const *)arguments.of);
	_exit(127);
}

/* 64 KiB below 4 GiB, where x86 starts 16 bytes before the end: cli, hlt, and back to hlt. */
static void write_bios(const struct hw_link *link)
{
	static const uint8_t code[] = { 0xfa, 0xf4, 0xeb, 0xfd };

	if (ftruncate(link->bios, 0x10000) ||
	    pwrite(link->bios, code, sizeof(code), 0xfff0) != (ssize_t)sizeof(code))
		abort();
}

static void launch(struct hw *hw)
{
	struct hw_link *link = hw->link;
	const pid_t parent = getpid();
	int sockets[2];

	link->ram = memfd_create("ram", MFD_CLOEXEC);
	link->bios = memfd_create("bios", MFD_CLOEXEC);
	link->words = memfd_create("words", MFD_CLOEXEC);
	if (link->ram < 0 || link->bios < 0 || link->words < 0 ||
	    ftruncate(link->ram, HW_RAM_BYTES) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		hw_die(hw, "no memory file or sockets (%s)", strerror(errno));
	write_bios(link);
	hw->ram = mmap(NULL, HW_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, link->ram, 0);
	if (hw->ram == MAP_FAILED)
		hw_die(hw, "its RAM can't be mapped (%s)", strerror(errno));
	link->socket = sockets[0];
	link->pid = fork();
	if (link->pid < 0)
		hw_die(hw, "no process for QEMU (%s)", strerror(errno));
	if (!link->pid)
		become_qemu(hw, sockets[1], parent);
	close(sockets[1]);
}

static void setup_arena(struct hw *hw)
{
	const struct iopt_posix_config config = {
		.bytes = HW_TABLE_BYTES,
		.base = hw->ram_base + HW_TABLES,
		.fd = hw->link->ram,
		.offset = HW_TABLES,
	};
	int error = iopt_posix_setup(&config);

	if (error)
		hw_die(hw, "iopt_posix_setup: %s", strerror(-error));
}

struct hw *hw_start(const struct hw_unit *unit, unsigned nr_devices)
{
	struct hw *hw = calloc(1, sizeof(*hw));

	if (!hw || nr_devices > HW_DEVICES)
		abort();
	hw->unit = unit;
	hw->nr_devices = nr_devices;
	pthread_mutex_init(&hw->lock, NULL);
	hw->ram_base = unit->ram_base;
	hw->next_structure = hw->ram_base + HW_MIB(1);
	hw->link = calloc(1, sizeof(*hw->link));
	if (!hw->link)
		abort();
	hw->link->old = hw_available();
	launch(hw);
	setup_arena(hw);
	for (unsigned i = 0; i < nr_devices; i++)
		hw_enable(hw, &hw->devices[i], bdf_of(hw, i), unit->bars + (uint64_t)i * 0x1000);
	hw_enable(hw, &hw->reader, bdf_of(hw, nr_devices), unit->bars + HW_MIB(1));
	for (unsigned i = 0; i < nr_devices; i++)
		hw_write32(hw, hw->devices[i].bar + ITD_ATTRS, ITD_NONSECURE);
	unit->start(hw);
	return hw;
}

void hw_stop(struct hw *hw)
{
	link_flush(hw);
	/* QEMU does not end when its socket is closed. */
	kill(hw->link->pid, SIGKILL);
	waitpid(hw->link->pid, NULL, 0);
	munmap(hw->ram, HW_RAM_BYTES);
	close(hw->link->socket);
	close(hw->link->words);
	close(hw->link->ram);
	close(hw->link->bios);
	free(hw->link);
	free(hw->state);
	free(hw);
}

uint64_t hw_structure(struct hw *hw, uint64_t bytes)
{
	uint64_t pa = (hw->next_structure + bytes - 1) & ~(bytes - 1);

	hw->next_structure = pa + bytes;
	if (hw->next_structure > hw->ram_base + HW_TABLES)
		hw_die(hw, "no memory left for the driver's structures");
	memset(hw_at(hw, pa), 0, bytes);
	return pa;
}

/* ---- units ---------------------------------------------------------------------------------- */

/* How many blocks a gather's ranges are, as far as it matters. */
static unsigned count_blocks(const struct iopt_gather *gather, const struct hw_commands *commands)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < gather->nr_ranges; i++) {
		struct hw_pieces pieces = hw_pieces(&gather->ranges[i], commands->most_lg2);

		while (nr <= commands->most && hw_pieces_next(&pieces))
			nr++;
	}
	return nr;
}

void hw_queue_gather(struct hw_domain *domain, const struct iopt_gather *gather,
		     const struct hw_commands *commands)
{
	if ((gather->owes & IOPT_OWES_ALL) || count_blocks(gather, commands) > commands->most) {
		commands->domain(domain);
		domain->hw->commands++;
		return;
	}
	for (unsigned i = 0; i < gather->nr_ranges; i++) {
		struct hw_pieces pieces = hw_pieces(&gather->ranges[i], commands->most_lg2);

		for (; hw_pieces_next(&pieces); domain->hw->commands++)
			commands->block(domain, pieces.first, pieces.size_lg2,
					hw_leaves_only(gather));
	}
}

void hw_await(struct hw *hw, uint64_t pa, uint32_t data, uint64_t head, uint64_t status)
{
	for (unsigned tries = 0; hw_load32(hw, pa) != data; tries++) {
		uint32_t at = hw_read32(hw, head);

		if (tries > 1000)
			hw_die(hw, "the queue of commands is stuck at 0x%x, status 0x%x", at,
			       hw_read32(hw, status));
	}
}

/* ---- domains ------------------------------------------------------------------------------- */

static void invalidate(void *ctx, const struct iopt_gather *gather)
{
	struct hw_domain *domain = ctx;

	pthread_mutex_lock(&domain->hw->lock);
	domain->hw->unit->invalidate(domain, gather);
	pthread_mutex_unlock(&domain->hw->lock);
	if (domain->also)
		domain->also(domain->ctx, gather);
}

static void top_changed(void *ctx, struct iopt_domain *iopt)
{
	struct hw_domain *domain = ctx;

	(void)iopt;
	pthread_mutex_lock(&domain->hw->lock);
	domain->hw->unit->top_changed(domain);
	pthread_mutex_unlock(&domain->hw->lock);
}

int hw_domain_init(struct hw_domain *domain, struct hw *hw, const struct iopt_config *config,
		   uint16_t id)
{
	struct iopt_config mine = *config;

	*domain = (struct hw_domain){
		.hw = hw,
		.format = iopt_format_find(config->format),
		.id = id,
	};
	mine.callbacks.invalidate = invalidate;
	if (domain->format && domain->format->abilities & IOPT_CAN_GROW)
		mine.callbacks.top_changed = top_changed;
	mine.ctx = domain;
	return iopt_create(&mine, &domain->iopt);
}

void hw_domain_fini(struct hw_domain *domain)
{
	iopt_destroy(domain->iopt);
	domain->iopt = NULL;
}

void hw_attach(struct hw *hw, const struct hw_device *device, struct hw_domain *domain)
{
	pthread_mutex_lock(&hw->lock);
	hw->unit->attach(hw, device->bdf, domain);
	pthread_mutex_unlock(&hw->lock);
}
