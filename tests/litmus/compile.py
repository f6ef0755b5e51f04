# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""From a claim to litmus tests: C11, and what the cross compilers make of it for AArch64 and RISC-V.

A claim's threads are written in calls of the engine's accessors (engine/entry.h, engine/order.h), of words.h beside this file, and of
the host's barriers. For the C11 model each call becomes the builtin that stands in the accessor, with its order as it
stands there. For the architectures the threads are compiled at -O2 against the engine's own headers, and the assembly
becomes the test: registers that the claim names are stored to words of their own at the end.
"""

import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Accessors whose memory order is read from the source.
SOURCES = (ROOT / 'engine/order.h', ROOT / 'engine/entry.h', HERE / 'words.h')
HOST = ROOT / 'hosts/posix/host.h'

# The host's barriers order stores (loads) alone; C11 has nothing weaker than these.
BARRIERS = {'iopt_host_publish': 'release', 'iopt_host_observe': 'acquire'}

FLAGS = ['-std=gnu11', '-O2', '-S', '-o', '-', '-x', 'c', '-', '-ffreestanding', '-fno-asynchronous-unwind-tables',
         '-fno-stack-protector', f'-I{ROOT}', f'-I{ROOT}/include', '-include', 'formats/x86_64.h',
         '-DIOPT_INSTANCE_FORMAT=x86_64_format', '-DIOPT_HOST_HEADER="tests/freestanding/host.h"']

TARGETS = {
    'aarch64': ('AArch64', ['aarch64-linux-gnu-gcc', '-march=armv8-a', '-mno-outline-atomics']),
    'aarch64-lse': ('AArch64', ['aarch64-linux-gnu-gcc', '-march=armv8.1-a']),
    'riscv': ('RISCV', ['riscv64-linux-gnu-gcc', '-march=rv64gc', '-mabi=lp64d']),
}

CALL = re.compile(r'\b((?:entry|cas|word|fence|iopt_host)_\w+)\(([^()]*)\)')


class Untranslatable(Exception):
    """A claim or an instruction that this file has no rule for."""


def accessors():
    """The builtin of each accessor: name -> (operation, orders). Entries of both widths have the same."""
    found = {}
    fenced = set()
    function = re.compile(r'^static inline [\w ]+[ *](\w+)\([^)]*\)\n\{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
    for source in SOURCES:
        for name, body in function.findall(source.read_text(encoding='utf-8')):
            builtins = re.findall(r'__atomic_(\w+)\(([^;]*)\)', body)
            if 'cas_fence();' in body:
                fenced.add(name)
            if builtins:
                meant = [(operation, [order.lower() for order in re.findall(r'__ATOMIC_(\w+)', arguments)])
                         for operation, arguments in builtins]
                found[name] = meant[-1]
                if meant.count(meant[-1]) != len(meant):
                    raise Untranslatable(f'{name}: not the same for both widths')
            elif re.search(r'cas32_\w+\(.* : cas_\w+\(', body):
                narrow, wide = re.search(r'(cas32_\w+)\(.* : (cas_\w+)\(', body).groups()
                found[name] = found[wide]
                if found[narrow] != found[wide] or (narrow in fenced) != (wide in fenced):
                    raise Untranslatable(f'{name}: not the same for both widths')
            elif re.search(r'!entry_cas\w*\(', body):  # in a loop: an exchange
                found[name] = ('exchange_n', found[re.search(r'!(entry_cas\w*)\(', body)[1]][1][:1])
    return found


# ---- C11 ---------------------------------------------------------------------------------------

class C11:
    """The threads of one claim in herd7's C."""

    def __init__(self, claim):
        self.claim = claim
        self.accessors = accessors()
        self.expected = []  # what compare-and-exchanges expect lies in words of its own

    def builtin(self, name, arguments):
        """The call in C11, and whether it has a value."""
        if name in BARRIERS:
            return f'atomic_thread_fence(memory_order_{BARRIERS[name]})', False
        if not self.accessors.get(name):
            raise Untranslatable(f'{self.claim.name}: no accessor {name}()')
        operation, orders = self.accessors[name]
        orders = [f'memory_order_{order}' for order in orders]
        if operation == 'compare_exchange_n':
            slot, old, new = arguments
            self.expected.append(old)
            return ('atomic_compare_exchange_strong_explicit('
                    f'{slot}, x{len(self.expected) - 1}, {new}, {", ".join(orders)})'), True
        if operation == 'thread_fence':
            return f'atomic_thread_fence({orders[0]})', False
        if operation == 'store_n':
            value = arguments[1] if len(arguments) > 1 else '0'
            return f'atomic_store_explicit({arguments[0]}, {value}, {orders[0]})', False
        kind = {'load_n': 'load', 'exchange_n': 'exchange'}.get(operation, operation)
        return f'atomic_{kind}_explicit({", ".join(arguments + orders)})', True

    def thread(self, number, text):
        """One function."""
        declared, temporaries, first = set(), 0, len(self.expected)
        lines = []
        for line in statements(text).splitlines():
            call = CALL.search(line)
            if call:
                c11, valued = self.builtin(call.group(1), split(call.group(2)))
                line = line[:call.start()] + c11 + line[call.end():]
                if valued and not re.match(r'\s*r\d+ = ', line):
                    line = re.sub(r'^(\s*)', rf'\1int t{temporaries} = ', line)
                    temporaries += 1
            register = re.match(r'(\s*)(r\d+) = ', line)
            if register and register.group(2) not in declared:
                declared.add(register.group(2))
                line = f'{register.group(1)}int {line.lstrip()}'
            lines.append(line)
        used = [f'atomic_int* {word}' for word in self.claim.words if uses(text, word)]
        used += [f'int* x{i}' for i in range(first, len(self.expected))]
        return f'P{number}({", ".join(used)}) {{\n' + '\n'.join(lines) + '\n}\n'

    def text(self):
        """The whole test."""
        threads = [self.thread(number, text) for number, text in enumerate(self.claim.threads)]
        init = [f'[{word}]={value};' for word, value in self.claim.words.items()]
        init += [f'x{number}={value};' for number, value in enumerate(self.expected)]
        return (f'C {self.claim.identifier}\n{{ {" ".join(init)} }}\n' + '\n'.join(threads) +
                f'\nexists ({self.claim.never})\n')


def statements(text):
    """A thread with a statement a line, without comments."""
    text = re.sub(r' */\*.*?\*/', '', text)
    return re.sub(r'(?<=[;{]) (?=\S)| (?=}$)', '\n\t', text, flags=re.MULTILINE)


def split(arguments):
    """The arguments of a call."""
    return [argument.strip() for argument in arguments.split(',')] if arguments.strip() else []


def uses(text, word):
    """Whether a thread names a word."""
    return re.search(rf'\b{word}\b', text) is not None


# ---- architectures -----------------------------------------------------------------------------

def host_barriers():
    """The posix host's, as they stand in its header, under names that do not meet the declarations of engine/host.h."""
    text = HOST.read_text(encoding='utf-8')
    found = [re.search(rf'^static inline void {name}\(void\)\n\{{.*?^\}}', text, re.MULTILINE | re.DOTALL)[0]
             for name in BARRIERS]
    return '\n'.join(found).replace('iopt_host_', 'posix_')


def c_call(match):
    """A call of a claim, with all the arguments that the engine's function has."""
    name, arguments = match.group(1).replace('iopt_host_', 'posix_'), split(match.group(2))
    if name == 'entry_clear_release':
        arguments += ['1', '0', '0']
    elif name == 'entry_take':
        arguments.insert(1, '0')
    elif 'cas_' in name or name == 'entry_cas':
        return f'({{ uint64_t old = {arguments[1]}; {name}({arguments[0]}, &old, {arguments[2]}); }})'
    return f'{name}({", ".join(arguments)})'


class Compiled:
    """The threads of one claim as a compiler has them."""

    def __init__(self, claim, target):
        self.claim = claim
        self.arch, self.compiler = TARGETS[target]
        self.results = {}  # word -> nothing yet; registers that the condition names

    def parameters(self, number, text):
        """What a thread is given: words, and where its registers go."""
        words = [word for word in self.claim.words if uses(text, word)]
        registers = sorted({f'o{number}_{name}' for where, name in re.findall(r'(\d):(r\d+)', self.claim.never)
                            if int(where) == number})
        self.results.update(dict.fromkeys(registers))
        if len(words + registers) > 8:
            raise Untranslatable(f'{self.claim.name}: thread {number} has more than eight parameters')
        return words, registers

    def source(self):
        """The C that is compiled."""
        text = ['#include "engine/entry.h"', '#include "tests/litmus/words.h"', host_barriers()]
        for number, thread in enumerate(self.claim.threads):
            words, stored = self.parameters(number, thread)
            names = sorted(set(re.findall(r'\b(r\d+) = ', thread)))
            text.append(f'void P{number}({", ".join("uint64_t *" + name for name in words + stored)})\n{{')
            if names:
                text.append('\tuint64_t ' + ', '.join(f'{name} = 0' for name in names) + ';')
            text.append(CALL.sub(c_call, statements(thread)))
            text += [f'\t*{name} = {name.split("_")[1]};' for name in stored]
            text.append('}')
        return '\n'.join(text) + '\n'

    def assembly(self):
        """Each thread's instructions."""
        done = subprocess.run([*self.compiler, *FLAGS, '-Wno-unused'], input=self.source(), capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Untranslatable(f'{self.claim.name}: {" ".join(done.stderr.split())}')
        bodies = []
        for number in range(len(self.claim.threads)):
            body = re.search(rf'^P{number}:\n(.*?)^\t\.size\tP{number},', done.stdout, re.MULTILINE | re.DOTALL)
            bodies.append(translate(self.arch, body.group(1), number))
        return bodies

    def text(self):
        """The whole test."""
        bodies = self.assembly()
        init = [f'uint64_t {word}={value};' for word, value in self.claim.words.items()]
        init += [f'uint64_t {word}=0;' for word in self.results]
        for number, thread in enumerate(self.claim.threads):
            words, stored = self.parameters(number, thread)
            register = 'X' if self.arch == 'AArch64' else 'a'
            init += [f'{number}:{register}{i}={name};' for i, name in enumerate(words + stored)]
        rows = max(len(body) for body in bodies)
        table = [' | '.join(body[row] if row < len(body) else '' for body in bodies) + ' ;' for row in range(rows)]
        header = ' | '.join(f'P{number}' for number in range(len(bodies))) + ' ;'
        never = re.sub(r'(\d):(r\d+)', r'o\1_\2', self.claim.never)
        return '\n'.join([f'{self.arch} {self.claim.identifier}', '{', *init, '}', header, *table,
                          f'exists ({never})', ''])


def translate(arch, body, number):
    """Compiler's assembly to herd7's: labels, directives, instructions that it has under another name only."""
    lines = []
    for line in body.splitlines():
        line = re.sub(r'//.*|^#.*', '', line).replace('\t', ' ').strip()
        for part in (part.strip() for part in line.split(';')):
            label = re.match(r'(\.?\w+):\s*(.*)', part)
            if label:
                lines.append(f'{label.group(1)}:')
                part = label.group(2)
            if part and not part.startswith('.'):
                lines.append(part)
    result = []
    for line in [*number_labels(lines), '.LRETURN:']:
        for pattern, replacement in AARCH64 if arch == 'AArch64' else RISCV:
            line = re.sub(pattern, replacement, line)
        result += re.sub(r'\.(L\w+)', rf'\1_{number}', line).split(' ; ')
    return result


def number_labels(lines):
    """Labels that are numbers (1: 1b 1f) by names."""
    counts, result = {}, []
    for line in lines:
        if re.fullmatch(r'\d+:', line):
            n = line[:-1]
            counts[n] = counts.get(n, 0) + 1
            line = f'.LN{n}x{counts[n]}:'
        else:
            line = re.sub(r'\b(\d)f$', lambda m: f'.LN{m[1]}x{counts.get(m[1], 0) + 1}', line)
            line = re.sub(r'\b(\d)b$', lambda m: f'.LN{m[1]}x{counts[m[1]]}', line)
        result.append(line)
    return result


AARCH64 = [
    (r'^b(eq|ne|cs|cc|hi|ls|ge|lt|gt|le) ', r'b.\1 '),
    (r'^ret$', 'b .LRETURN'),
]

# Input and output bits of fences are about devices' registers, which no test has.
RISCV = [
    (r'\bzero\b', 'x0'),
    (r'^fence\s+i?o?(r?w?),\s*i?o?(r?w?)$', r'fence \1,\2'),
    (r'^fence\s+ir,\s*r$', 'fence r,r'),
    (r'^(bnez|beqz) (\w+),', lambda m: f'{m[1][:3]} {m[2]},x0,'),
    (r'^mv (\w+),(\w+)$', r'addi \1,\2,0'),
    (r'^seqz (\w+),(\w+)$', r'slti t6,\2,1 ; slti \1,\2,0 ; xor \1,t6,\1'),
    (r'^snez (\w+),(\w+)$', r'slti t6,\2,1 ; slti \1,\2,0 ; xor \1,t6,\1 ; xori \1,\1,1'),
    (r'^not (\w+),(\w+)$', r'xori \1,\2,-1'),
    (r'^ret$', 'beq x0,x0,.LRETURN'),
    (r'^j (\S+)$', r'beq x0,x0,\1'),
]
