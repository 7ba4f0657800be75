/** (a) register sets of a task that changes CS, (g) restarts, (h) POKEUSER, (k) seccomp, (l) siginfo of stops, (m) a watchpoint. */
import { XCR0, xstateSize } from '../../cpu/xsave.ts';
import { type Exception, instead, R8_ZERO, type Recording, type Variation } from './rules.ts';

const EXEC_NR = 'v4.7 leaves orig_ax at execve as the caller had it; since v4.12 it is the number of the new ABI';
const DR6 = 'DR6 of v4.7 begins with 0 and shows only what happened; 6.18 shows the bits that are always 1';

// ---- (a)

const tracerVaries: readonly Variation[] = [
  [/(\b[er]?sp(?:\[\d+\])?)=[0-9a-f]{6,}/g, '$1=STACK'],
  [/\b([re]ax)=(?!ff)[0-9a-f]{3,4} /g, '$1=PID '],
];

/** From the first int 0x80 of a 64-bit program on. */
const zeroed: Exception = {
  reason: R8_ZERO,
  change: (text) => {
    const at = text.search(/orig_rax=14 /);
    const line = text.lastIndexOf('\n', at);
    const rest = text
      .slice(line)
      .replace(/r8=1111222233334444/g, 'r8=0')
      .replace(/r11=(202|b0b1b2b3b4b5b6b7)/g, 'r11=0')
      .replace(/r10=a0a1a2a3a4a5a6a7/g, 'r10=0');
    return text.slice(0, line) + rest;
  },
};

/** Of the first stop. */
const execNr = (after: string, before: string): Exception => ({
  reason: EXEC_NR,
  change: (text) => {
    const end = text.indexOf('stop 1');
    const first = text
      .slice(0, end)
      .replace(new RegExp(`orig(_[re]ax|\\[\\d+\\])=${after}\\b`, 'g'), `orig$1=${before}`);
    return first + text.slice(end);
  },
});

interface Kernel {
  readonly kernel: string;
  readonly patches?: string;
  readonly varies?: readonly Variation[];
}

const tracer = (
  bits: string,
  child: string,
  exceptions: readonly Exception[],
  { kernel, patches, varies = [] }: Kernel = { kernel: 'compat-cr' },
): Recording => ({
  file: `a_tracer${bits}_${child}.txt`,
  program: `tracer${bits}`,
  args: [`./${child}`],
  kernel,
  ...(patches && { patches }),
  varies: [...tracerVaries, ...varies],
  exceptions: [
    instead(
      'there is no PTRACE_GET_SYSCALL_INFO before v5.3',
      /SYSCALL_INFO ret=.*/g,
      'SYSCALL_INFO ret=-1 op=0 arch=0 nr=0 a0=0 a3=0',
    ),
    instead('the CPU has fewer state components', /len=2432/g, `len=${xstateSize(XCR0)}`),
    ...exceptions,
  ],
});

/** What the tracer passes in iov_len, and finds again after an error. */
const NO_SET = 'ret=-1 errno=22 len=16384';

/** Without patch 0005: by the program. */
const byProgram: Record<string, Exception> = {
  child_cs: {
    reason: 'without patch 0005 a 64-bit program has the 64-bit view, whatever CS says',
    change: (text) =>
      text
        .replace(/(PRSTATUS .*)len=68/g, '$1len=216')
        .replace(/(PRFPREG .*)len=108/g, '$1len=512')
        .replace(/(PRXFPREG +)ret=0 errno=0 len=512/g, `$1${NO_SET}`)
        .replace(/(386_TLS +)ret=0 errno=0 len=48/g, `$1${NO_SET}`),
  },
  child32: {
    reason: 'without patch 0005 an i386 program has the i386 view, whatever CS says',
    change: (text) =>
      text
        .replace(/(PRSTATUS .*)len=216/g, '$1len=68')
        .replace(/(PRFPREG .*)len=512/g, '$1len=108')
        .replace(/(PRXFPREG +)ret=-1 errno=22 len=16384/g, '$1ret=0 errno=0 len=512')
        .replace(/(386_TLS +)ret=-1 errno=22 len=16384/g, '$1ret=0 errno=0 len=48'),
  },
};

/** The view decides what the registers are called: only its length is compared. */
const unpatched = (
  bits: string,
  child: string,
  exceptions: readonly Exception[],
  kernel: Kernel = { kernel: 'v4.7-rc1' },
): Recording =>
  tracer(bits, child, [...exceptions, byProgram[child]!], {
    ...kernel,
    varies: [[/(PRSTATUS .* len=\d+).*/g, '$1']],
  });

// ---- (h)

const pokeVaries: readonly Variation[] = [[/^(sp +old)=[0-9a-f]+/m, '$1=STACK']];
const CHECKED = 'v4.7 checks the address of a breakpoint when it is enabled, and shows it from then on';

const poke = (bits: string, child: string, exceptions: readonly Exception[]): Recording => ({
  file: `h_poke${bits}_${child}.txt`,
  program: `poke${bits}`,
  args: [`./${child}`],
  kernel: 'compat-cr',
  varies: pokeVaries,
  exceptions: [
    instead(DR6, /DR6=ffff0ff0\(e0\)/, 'DR6=0(e0)'),
    instead(CHECKED, /(poke DR0=(?:ffffffff)?(?:81000000|ffffffff)) -> .*/g, '$1 -> 0 now 401000'),
    instead(CHECKED, /poke DR0=0 -> 0 now 0/, 'poke DR0=0 -> 0 now 401000'),
    ...exceptions,
  ],
});

const TASK_SIZE = 'v4.7 takes no base beyond the end of the address space of the tracee';
const DR_32 = "v4.7 takes no breakpoint beyond the end of the tracer's address space";

// ---- (g)

const restartVaries: readonly Variation[] = [
  [/\b(rip)=40\w{4}\b/g, '$1=CODE'],
  [/\b(rip)=7[ef]\w{10}\b/g, '$1=PAD'],
  [/\brbx=(4a70[de]0|0|7ff\w+)/g, 'rbx=ARG'],
  [/\brcx=(4\w{5}|7f\w+|0)\b/g, 'rcx=WHERE'],
  [/\brdi=\w+/g, 'rdi=ARG'],
];

/** Modes in which the call was an int 0x80: the number with which it goes on is that of the program. */
const restartBug: Exception = {
  reason: 'v4.7 restarts the int 0x80 of a 64-bit program with 219, which is madvise(2) there',
  change: (text) =>
    text
      .split(/(?=== mode)/)
      .map((mode) => {
        if (!/== mode [124]/.test(mode)) return mode;
        return mode
          .replace(/orig_rax=0 rax=ffffffffffffffda/g, 'orig_rax=db rax=ffffffffffffffda')
          .replace(/orig_rax=0 rax=0 \(0\)/g, 'orig_rax=db rax=ffffffffffffffea (-22)');
      })
      .join(''),
};

export const TRACER_RECORDINGS: readonly Recording[] = [
  tracer('64', 'child_cs', [zeroed]),
  tracer('64', 'child32', [execNr('b', '3b'), zeroed]),
  tracer('32', 'child_cs', [execNr('3b', 'b'), zeroed]),
  tracer('32', 'child32', [zeroed]),
  tracer('64', 'child_cs', [zeroed], { kernel: 'compat-cr', patches: '0005' }),
  tracer('64', 'child_cs', [zeroed], { kernel: 'v4.12' }),
  tracer('64', 'child32', [zeroed], { kernel: 'v4.12' }),
  tracer('32', 'child_cs', [zeroed], { kernel: 'v4.12' }),
  tracer('32', 'child32', [zeroed], { kernel: 'v4.12' }),
  unpatched('64', 'child_cs', []),
  unpatched('64', 'child32', [execNr('b', '3b')]),
  unpatched('32', 'child_cs', [execNr('3b', 'b')]),
  unpatched('32', 'child32', []),
  unpatched('64', 'child_cs', [], { kernel: 'compat-cr', patches: 'base,0001,0002,0003,0004,0006' }),
  poke('64', 'child_cs', []),
  poke('64', 'child32', [
    instead(EXEC_NR, /orig_ax {2}old=b/, 'orig_ax  old=3b'),
    instead(TASK_SIZE, /^([fg]s_base .* ffffffff)->ffffffff/gm, '$1->E5'),
  ]),
  poke('32', 'child_cs', [
    instead(EXEC_NR, /orig_ax {2}old=3b/, 'orig_ax  old=b'),
    instead(DR_32, /DR1=fffff000 -> 0 now fffff000/, 'DR1=fffff000 -> E22 now 0'),
  ]),
  poke('32', 'child32', [instead(DR_32, /DR1=fffff000 -> 0 now fffff000/, 'DR1=fffff000 -> E22 now 0')]),
  { file: 'g_restart.txt', program: 'g_restart', kernel: 'v4.12', varies: restartVaries, exceptions: [] },
  ...['v4.7-rc1', 'compat-cr', 'v4.9'].map((kernel) => ({
    file: 'g_restart.txt',
    program: 'g_restart',
    kernel,
    varies: restartVaries,
    exceptions: [restartBug],
  })),
  {
    file: 'k_seccomp80.txt',
    program: 'seccomp80',
    kernel: 'compat-cr',
    varies: [[/(call_addr|rip)=(0x)?4\w{5}/g, '$1=AT']],
    exceptions: [],
  },
  {
    file: 'l_sicode.txt',
    program: 'sicode',
    kernel: 'compat-cr',
    varies: [
      [/addr\/pid=4\w{5}/g, 'addr/pid=CODE'],
      [/addr\/pid=\w{3}$/gm, 'addr/pid=PID'],
      [/hw bp at rip=\w+/, 'hw bp at rip=CODE'],
    ],
    exceptions: [
      instead(
        'copy_siginfo_to_user() of v4.7 gives the low 16 bits of si_code',
        /code=(\d+)\(0x80(\w\w)\)/g,
        (_all, code, low) => {
          return `code=${Number(code) - 0x10000}(0xffff80${low})`;
        },
      ),
      instead(DR6, /dr6=ffff0ff1/, 'dr6=1'),
    ],
  },
  {
    file: 'm_watch.txt',
    program: 'dbg',
    kernel: 'compat-cr',
    varies: [[/addr 0x4\w{5}/g, 'addr CODE']],
    exceptions: [instead(DR6, /dr6=ffff0ff1/g, 'dr6=1')],
  },
];
