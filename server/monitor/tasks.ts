/** Tasks and their memory: tasks maps vdso gdt regset handlers. */
import { EM_386 } from '../../linux/abi/elf.ts';
import {
  SA_IA32_ABI,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SA_X32_ABI,
  signalName,
} from '../../linux/abi/signal.ts';
import { prstatusSize } from '../../linux/coredump/notes.ts';
import { mapsLine } from '../../linux/fs/proc/maps.ts';
import { task_user_regset_view } from '../../linux/ptrace/regset-views.ts';
import { csOf } from '../../linux/task/pt-regs.ts';
import type { Task } from '../../linux/task/task.ts';
import { TIF_IA32, TIF_X32 } from '../../linux/task/thread-info.ts';
import type { MonitorCommand, MonitorContext } from './command.ts';
import { table } from './table.ts';

const hex = (value: number | bigint, width = 0): string => value.toString(16).padStart(width, '0');

/** The task that a number names, or the selected one. */
function chosen(context: MonitorContext, args: readonly string[]): Task | string {
  const tid = args[0];
  if (tid === undefined) return context.task ?? 'no task is selected\n';
  return context.kernel.tasks.get(Number(tid)) ?? `no task ${tid}\n`;
}

function withTask(run: (task: Task, context: MonitorContext) => string): MonitorCommand['run'] {
  return (context, args) => {
    const task = chosen(context, args);
    return typeof task === 'string' ? task : run(task, context);
  };
}

function tasks({ kernel, task: selected }: MonitorContext): string {
  const rows = [...kernel.tasks.values()].map((task) => {
    const { threadInfo } = task;
    const abi = (threadInfo.flags & TIF_IA32) !== 0 ? 'ia32' : (threadInfo.flags & TIF_X32) !== 0 ? 'x32' : '64';
    const wait = task.wait ? task.wait.channels.join(' ') : '';
    return [
      task === selected ? '*' : '',
      task.pid,
      task.tgid,
      task.realParent?.tgid ?? 0,
      task.exitState ?? task.state,
      abi,
      hex(csOf(task)),
      `0x${hex(task.regs.rip)}`,
      task.comm,
      wait,
    ];
  });
  return table([['', 'tid', 'pid', 'ppid', 'state', 'abi', 'cs', 'rip', 'name', 'waits for'], ...rows]);
}

function vdso(task: Task, { kernel }: MonitorContext): string {
  const { mm } = task;
  const config = kernel.vdso;
  const rows = [config.image64, config.image32, config.imageX32].flatMap((image) =>
    image ? [[`image ${image.kind}`, `0x${hex(image.size)} bytes`, `vvar ${config.vvarPages} pages before it`]] : [],
  );
  const areas = mm.vmas
    .filter((vma) => vma.special)
    .map((vma) => [`mapping ${vma.special!.name}`, `${hex(vma.start)}-${hex(vma.end)}`, '']);
  const context =
    mm.vdso === undefined ? 'none' : `0x${hex(mm.vdso)} (${mm.vdsoImage ? `image ${mm.vdsoImage.kind}` : 'no image'})`;
  return `mm->context.vdso of task ${task.pid}: ${context}\n${table([...areas, ...rows])}`;
}

/** One descriptor: Intel SDM vol. 3, 3.4.5. */
function describe(raw: bigint): string {
  if (raw === 0n) return 'empty';
  const bit = (n: bigint): boolean => ((raw >> n) & 1n) === 1n;
  const base = ((raw >> 16n) & 0xff_ffffn) | (((raw >> 56n) & 0xffn) << 24n);
  let limit = (raw & 0xffffn) | ((raw >> 32n) & 0xf_0000n);
  if (bit(55n)) limit = (limit << 12n) | 0xfffn;
  const kind = bit(43n) ? `code ${bit(53n) ? '64' : bit(54n) ? '32' : '16'}-bit` : 'data';
  const dpl = Number((raw >> 45n) & 3n);
  return `${kind} base 0x${hex(base, 8)} limit 0x${hex(limit, 8)} dpl ${dpl}${bit(47n) ? '' : ' not present'}`;
}

const GDT_NAMES: Readonly<Record<number, string>> = {
  4: '__USER32_CS',
  5: '__USER_DS',
  6: '__USER_CS',
  12: 'TLS 0',
  13: 'TLS 1',
  14: 'TLS 2',
  15: 'per CPU',
};

function gdt(task: Task, { kernel }: MonitorContext): string {
  const { regs } = task;
  const inUse = new Map<number, string[]>();
  for (const name of ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const) {
    const selector = name === 'cs' ? csOf(task) : regs[name];
    if (selector !== 0) inUse.set(selector & ~3, [...(inUse.get(selector & ~3) ?? []), name]);
  }
  const row = (selector: number, name: string, raw: bigint): string[] => [
    `0x${hex(selector | 3, 2)}`,
    name,
    hex(raw, 16),
    describe(raw),
    (inUse.get(selector) ?? []).join(' '),
  ];
  const rows = Object.keys(GDT_NAMES).map((key) => {
    const index = Number(key);
    const raw = index >= 12 && index <= 14 ? task.tls[index - 12]! : kernel.cpu.gdt[index]!;
    return row(index * 8, GDT_NAMES[index]!, raw);
  });
  const ldt = [...task.mm.ldt].flatMap((raw, i) => (raw === 0n ? [] : [row(i * 8 + 4, `LDT ${i}`, raw)]));
  return table([['selector', 'name', 'raw', 'meaning', 'in use by'], ...rows, ...ldt]);
}

function regset(task: Task, { kernel }: MonitorContext): string {
  const view = kernel.ops.task_user_regset_view(task);
  const tif = (task.threadInfo.flags & TIF_IA32) !== 0 ? 'set' : 'clear';
  const { regsets, machine } = task_user_regset_view(task);
  const sets = regsets.map((r) => `${r.name} ${r.active?.(task) === 0 ? 0 : r.size}`).join(', ');
  const elf = `${task.mm.binfmt === 'elf64' ? 'ELF64' : 'ELF32'} ${machine === EM_386 ? 'EM_386' : 'EM_X86_64'}`;
  return (
    `task ${task.pid}: CS 0x${hex(csOf(task))}, TIF_IA32 ${tif}: a ptrace tracer of kernel ${kernel.ops.release} gets the ${view} registers\n` +
    `bytes of each set: ${sets}\n` +
    `a core file is ${elf}, with ${prstatusSize(task)} bytes of NT_PRSTATUS\n`
  );
}

/** The handlers of a process, and the frame that each would get now. */
function handlers(task: Task, { kernel }: MonitorContext): string {
  const { ops } = kernel;
  const rows = task.sighand.actions.flatMap((action, sig) => {
    if (sig === 0 || action.handler === 0n) return [];
    const where = action.handler === 1n ? 'SIG_IGN' : `0x${hex(action.handler)}`;
    const x32 = ops.is_x32_frame(action, task) ? 'x32' : '64-bit';
    const frame = action.handler === 1n ? '' : ops.is_ia32_compat_frame(action, task) ? 'i386' : x32;
    return [[signalName(sig), where, `0x${hex(action.flags)}`, flagNames(action.flags), frame]];
  });
  return rows.length === 0 ? 'no handlers\n' : table([['signal', 'handler', 'flags', '', 'frame'], ...rows]);
}

const SA_FLAGS = { SA_SIGINFO, SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_RESTORER, SA_IA32_ABI, SA_X32_ABI };
const flagNames = (flags: number): string =>
  Object.entries(SA_FLAGS)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join('|');

export const TASK_COMMANDS: readonly MonitorCommand[] = [
  { name: 'tasks', usage: '', help: 'every task: state, ABI, CS, place, what it waits for', run: tasks },
  {
    name: 'maps',
    usage: '[TID]',
    help: 'the mappings of a task, as /proc/PID/maps',
    run: withTask((task) => task.mm.vmas.map((vma) => mapsLine(task.mm, vma)).join('')),
  },
  {
    name: 'vdso',
    usage: '[TID]',
    help: 'where the vDSO of a task lies, and the images of the machine',
    run: withTask(vdso),
  },
  { name: 'gdt', usage: '[TID]', help: 'the segment descriptors that a task can use', run: withTask(gdt) },
  {
    name: 'regset',
    usage: '[TID]',
    help: 'which registers a ptrace tracer would get, and a core file would have',
    run: withTask(regset),
  },
  { name: 'handlers', usage: '[TID]', help: 'signal handlers, and the frame that each gets', run: withTask(handlers) },
];
