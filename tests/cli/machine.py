#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the tests of running machines need besides iopt.

qmp SOCKET COMMAND [JSON]   ask a QEMU, print what it returns
qtest SOCKET COMMAND...     have QEMU's devices written to or read
dump SOCKET FILE            an ELF core of a QEMU's memory
firmware FILE               wait until a PC's firmware has put its ACPI tables into memory, which is FILE
signal NAME WHEN LOG PROGRAM ARGUMENT...
                            run a program, end it by a signal after WHEN seconds, or when LOG has a line that is WHEN;
                            prints its exit status
fake SOCKET MEMORY LOG FAULT
                            a QEMU that is none: a VT-d unit, memory from a file, each command a line of the log
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

RTADDR = 0x46B7000
MAP = """FlatView #0\r
 AS "elsewhere", root: bus\r
  0000000000000000-00000000ffffffff (prio 0, ram): not.this\r
\r
FlatView #1\r
 AS "memory", root: system\r
 AS "cpu-memory-0", root: system\r
 Root memory region: system\r
  0000000000000000-000000000fffffff (prio 0, ram): ram\r
  00000000b0000000-00000000bfffffff (prio 0, i/o): pcie-mmcfg-mmio\r
  00000000fed90000-00000000fed9022f (prio 0, i/o): intel_iommu\r
\r
"""


class Qmp:
    def __init__(self, path):
        self.file = connect(path)
        self.read()
        self.command("qmp_capabilities")

    def read(self):
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                return answer

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        return self.read()


def connect(path):
    """A socket that may not be there yet."""
    until = time.monotonic() + 20
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(path)
            return link.makefile("rw")
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def run_qmp(path, name, arguments="{}"):
    print(json.dumps(Qmp(path).command(name, **json.loads(arguments)).get("return")))


def run_qtest(path, *commands):
    file = connect(path)
    for command in commands:
        file.write(command + "\n")
        file.flush()
        answer = "IRQ"
        while answer.startswith("IRQ"):
            answer = file.readline()
        assert answer.startswith("OK"), answer
        print(answer.strip())


def run_dump(path, file):
    answer = Qmp(path).command("dump-guest-memory", paging=False, protocol="file:" + os.path.abspath(file))
    assert "return" in answer, answer


def run_firmware(file):
    """QEMU's last order to the firmware is the checksum of the RSDP (hw/i386/acpi-build.c, acpi_build())."""
    until = time.monotonic() + 60
    while not any(is_rsdp(table) for table in low_tables(file)):
        assert time.monotonic() < until, "no RSDP within 60 s"
        time.sleep(0.02)


def low_tables(file):
    """Where an RSDP may be, ACPI 5.2.5.1."""
    with open(file, "rb") as memory:
        memory.seek(0xE0000)
        low = memory.read(0x20000)
    return (low[at : at + 36] for at in range(0, len(low), 16))


def is_rsdp(table):
    """ACPI 5.2.5.3: its first 20 bytes add up to 0, with revision 2 all 36."""
    return table.startswith(b"RSD PTR ") and sum(table[: 20 if table[15] < 2 else 36]) % 256 == 0


def run_signal(name, when, log, *command):
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # that it was ignored, by nohup for one, a program would inherit
    program = subprocess.Popen(command)
    if when[0].isdigit():
        time.sleep(float(when))
    else:
        until = time.monotonic() + 20
        while time.monotonic() < until and when not in open(log).read().split("\n"):
            time.sleep(0.01)
    program.send_signal(getattr(signal, name))
    print(program.wait(30))


class Fake:
    """FAULT: none, or what goes wrong."""

    def __init__(self, path, memory, log, fault):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(1)
        self.memory, self.log, self.fault = open(memory, "rb"), open(log, "a"), fault
        self.saved = 0

    def send(self, answer):
        self.link.sendall(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\r\n")

    def serve(self):
        self.link, _ = self.server.accept()
        if self.fault == "hang":
            time.sleep(30)
        if self.fault == "monitor":
            self.send(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ")
        if self.fault == "endless":
            while True:
                self.send(b"[" * (1 << 20))
        if self.fault == "other":
            self.send({"hello": "you"})
        self.send({"QMP": {"version": {}, "capabilities": []}})
        for line in self.link.makefile("r"):
            command = json.loads(line)
            name, arguments = command["execute"], command.get("arguments", {})
            self.log.write(arguments.get("command-line", name) + "\n")
            self.log.flush()
            if self.fault == name + " closes":
                return
            if self.fault == name + " garbage":
                self.send(b"\xff\xfe{]\r\n")
            if self.fault == name + " waits":
                time.sleep(2)
            if self.fault == "events":
                self.send({"event": "RTC_CHANGE", "data": {"offset": 5}, "timestamp": {}})
                self.send({"return": {"running": False}, "id": "another"})
            if self.fault == name + " refused":
                self.send({"error": {"class": "GenericError", "desc": "not today"}, "id": command["id"]})
            else:
                self.send({"return": self.answer(name, arguments), "id": command["id"]})

    def answer(self, name, arguments):
        if name == "query-status":
            return {"running": self.fault != "paused", "status": "running"}
        if name == "human-monitor-command":
            line = arguments["command-line"].split()
            if line[0] == "info":
                return "nothing\r\n" if self.fault == "no map" else MAP
            value = {0xFED90020: RTADDR, 0xFED9001C: 0xC7000000}[int(line[2], 16)]
            return f"fed90020: {value:#x}\r\n"
        if name == "pmemsave":
            self.saved += 1
            if self.fault != "elsewhere":
                self.memory.seek(arguments["val"])
                with open(arguments["filename"], "wb") as file:
                    file.write(self.memory.read(arguments["size"]))
        return {}


def run_fake(*arguments):
    try:
        Fake(*arguments).serve()
    except (BrokenPipeError, ConnectionResetError):
        pass


if __name__ == "__main__":
    globals()["run_" + sys.argv[1]](*sys.argv[2:])
