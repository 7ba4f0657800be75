import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PhysicalMemory } from '../../../cpu/physical-memory.ts';
import { EACCES, ELOOP, ENOENT, ENOEXEC } from '../../../linux/abi/errno.ts';
import { do_execve } from '../../../linux/exec/execve.ts';
import { makeTask } from '../../../linux/exec/init.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';
import { Kernel } from '../../../linux/kernel.ts';
import { READ_IMPLIES_EXEC } from '../../../linux/mm/mmap.ts';
import {
  copy_from_user,
  get_user_u8,
  get_user_u32,
  get_user_u64,
  strncpy_from_user,
} from '../../../linux/mm/uaccess.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import type { Task } from '../../../linux/task/task.ts';
import { TIF_ADDR32, TIF_IA32, TIF_X32, TS_COMPAT } from '../../../linux/task/thread-info.ts';
import { vdsoShipped } from '../../../linux/vdso/config.ts';
import { maps } from '../helpers/small-machine.ts';

interface Segment {
  readonly type?: number;
  readonly flags: number;
  readonly vaddr: number;
  readonly data: Uint8Array;
  readonly memsz?: number;
}

/** A small ELF file; each PT_LOAD starts on its own page of the file. */
function elf(bits: 32 | 64, machine: number, type: number, entry: number, segments: readonly Segment[]): Buffer {
  const wide = bits === 64;
  const phentsize = wide ? 56 : 32;
  const ehsize = wide ? 64 : 52;
  const out = Buffer.alloc(4096 * (segments.length + 1));
  out.write('\x7fELF', 'latin1');
  out.set([wide ? 2 : 1, 1, 1], 4);
  out.writeUInt16LE(type, 16);
  out.writeUInt16LE(machine, 18);
  if (wide) {
    out.writeBigUInt64LE(BigInt(entry), 24);
    out.writeBigUInt64LE(64n, 32);
    out.writeUInt16LE(phentsize, 54);
    out.writeUInt16LE(segments.length, 56);
  } else {
    out.writeUInt32LE(entry, 24);
    out.writeUInt32LE(52, 28);
    out.writeUInt16LE(phentsize, 42);
    out.writeUInt16LE(segments.length, 44);
  }
  segments.forEach((s, i) => {
    const at = ehsize + i * phentsize;
    const offset = 4096 * (i + 1) + (s.vaddr % 4096);
    const memsz = s.memsz ?? s.data.length;
    out.set(s.data, offset);
    out.writeUInt32LE(s.type ?? 1, at);
    if (wide) {
      out.writeUInt32LE(s.flags, at + 4);
      [offset, s.vaddr, s.vaddr, s.data.length, memsz, 4096].forEach((v, k) => {
        out.writeBigUInt64LE(BigInt(v), at + 8 + 8 * k);
      });
    } else {
      [offset, s.vaddr, s.vaddr, s.data.length, memsz, s.flags, 4096].forEach((v, k) => {
        out.writeUInt32LE(v, at + 4 + 4 * k);
      });
    }
  });
  return out;
}

const CODE = Uint8Array.of(0xf4);
const GNU_STACK: Segment = { type: 0x6474_e551, flags: 6, vaddr: 0, data: new Uint8Array(0) };
const text = (vaddr: number): Segment => ({ flags: 5, vaddr, data: CODE });
const data = (vaddr: number): Segment => ({ flags: 6, vaddr, data: Uint8Array.of(1, 2, 3, 4), memsz: 0x2100 });

interface Registers {
  gpr: BigUint64Array;
  rip: bigint;
  rflags: bigint;
  cs?: number;
  ss?: number;
  ds?: number;
  es?: number;
  fs?: number;
  gs?: number;
}

/** Registers and tables as exec sets them; no instruction runs. */
function stubCpu(): { cpu: unknown; regs: Registers } {
  const regs = {
    gpr: new BigUint64Array(16).fill(1n),
    view: new DataView(new ArrayBuffer(65536)),
    rip: 0n,
    rflags: 0n,
    fsBase: 0n,
    gsBase: 0n,
    set rsp(value: bigint) {
      this.gpr[4] = value;
    },
    get rsp(): bigint {
      return this.gpr[4]!;
    },
  } as Registers;
  const nothing = (): void => {};
  const cpu = {
    memory: new PhysicalMemory(64 * 1024 * 1024),
    gdt: new BigUint64Array(16),
    ldt: new BigUint64Array(0),
    icount: 0,
    switchTo: nothing,
    setMmu: nothing,
    flushTlb: nothing,
    flushPage: nothing,
    dropSpace: nothing,
    vendor: 'amd',
    random: { state: 0n },
    loadSegment: (segment: string, selector: number) => {
      Object.assign(regs, { [segment]: selector });
      return true;
    },
  };
  return { cpu, regs };
}

describe('execve', () => {
  let root: string;
  let task: Task;
  let regs: Registers;
  const file = (name: string, content: Uint8Array | string, mode = 0o755): void =>
    writeFileSync(join(root, name), content, { mode });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'exec-'));
  });
  /** The machine reads a directory once: its files are there before it boots. */
  const boot = (): void => {
    const stub = stubCpu();
    regs = stub.regs;
    const cpu = stub.cpu as Kernel['cpu'];
    const vfs = new Vfs({ cpu, root });
    const log = { debug: () => {}, info: () => {}, warn: () => {} } as unknown as Kernel['log'];
    const kernel = new Kernel({ cpu, ops: bootOps(), vdso: vdsoShipped('amd'), vfs, log });
    const made = makeTask(kernel, { context: { regs } as unknown as Task['context'] });
    if (typeof made === 'number') throw new Error(`makeTask: ${made}`);
    task = made;
    kernel.addTask(task);
  };
  afterEach(() => rmSync(root, { recursive: true }));

  it('loads an ELF64 program', () => {
    file('prog', elf(64, 62, 2, 0x401000, [text(0x401000), data(0x402010), GNU_STACK]));
    boot();
    expect(do_execve(task, '/prog', ['prog', 'x'], ['A=1'])).to.equal(0);
    const { mm } = task;
    expect(maps(mm)).to.deep.equal([
      '401000-402000 r-xp /prog',
      '402000-403000 rw-p /prog',
      '403000-405000 rw-p',
      '7ffff7ffb000-7ffff7ffd000 r--p [vvar]',
      '7ffff7ffd000-7ffff7fff000 r-xp [vdso]',
      '7ffffffdd000-7ffffffff000 rw-p',
    ]);
    expect(task.comm).to.equal('prog');
    expect(mm.brk).to.equal(0x405000);
    expect(get_user_u32(mm, 0x402010)).to.equal(0x0403_0201);
    expect(get_user_u8(mm, 0x402014)).to.equal(0);
    expect(regs.rip).to.equal(0x401000n);
    expect([regs.cs, regs.ss, regs.ds, regs.es, regs.fs, regs.gs]).to.deep.equal([0x33, 0x2b, 0, 0, 0, 0]);
    expect(regs.rflags).to.equal(0x202n);
    expect([...regs.gpr].filter((v) => v !== 0n)).to.have.length(1);
    expect(task.threadInfo.flags & (TIF_IA32 | TIF_ADDR32 | TIF_X32)).to.equal(0);
  });

  it('lays out argc, argv, envp and the auxiliary vector', () => {
    file('prog', elf(64, 62, 2, 0x401000, [text(0x401000), GNU_STACK]));
    boot();
    do_execve(task, '/prog', ['prog', 'x'], ['A=1']);
    const { mm } = task;
    const sp = Number(regs.gpr[4]);
    expect(sp % 16).to.equal(0);
    const word = (i: number): number => Number(get_user_u64(mm, sp + 8 * i));
    expect([word(0), word(3), word(5)]).to.deep.equal([2, 0, 0]);
    const string = (at: number): string | number => strncpy_from_user(mm, at, 100);
    expect([string(word(1)), string(word(2)), string(word(4))]).to.deep.equal(['prog', 'x', 'A=1']);
    const types: number[] = [];
    const values = new Map<number, number>();
    for (let i = 6; ; i += 2) {
      types.push(word(i));
      values.set(word(i), word(i + 1));
      if (word(i) === 0) break;
    }
    expect(types).to.deep.equal([33, 16, 6, 17, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 23, 25, 31, 15, 0]);
    expect(string(values.get(31)!)).to.equal('/prog');
    expect(string(values.get(15)!)).to.equal('x86_64');
    expect(values.get(9)).to.equal(0x401000);
    expect(values.get(33)).to.equal(mm.vdso);
    expect(values.get(31)! + 6 + 8).to.equal(0x7fff_ffff_f000);
    expect(mm.savedAuxv).to.deep.equal(copy_from_user(mm, sp + 48, types.length * 16));
  });

  it('loads an i386 program into a 32-bit address space', () => {
    file('prog', elf(32, 3, 2, 0x8049000, [text(0x8049000), GNU_STACK]));
    boot();
    expect(do_execve(task, '/prog', ['prog'], [])).to.equal(0);
    expect(maps(task.mm)).to.deep.equal([
      '8049000-804a000 r-xp /prog',
      'f7ffb000-f7ffd000 r--p [vvar]',
      'f7ffd000-f7ffe000 r-xp [vdso]',
      'fffdc000-ffffe000 rw-p',
    ]);
    expect(task.threadInfo.flags & (TIF_IA32 | TIF_ADDR32 | TIF_X32)).to.equal(TIF_IA32 | TIF_ADDR32);
    expect(task.threadInfo.status).to.equal(TS_COMPAT);
    expect([regs.cs, regs.ss, regs.ds, regs.es]).to.deep.equal([0x23, 0x2b, 0x2b, 0x2b]);
    const sp = Number(regs.gpr[4]);
    const image = task.kernel.vdso.image32!;
    // argc, argv[0], 0, 0, then AT_SYSINFO.
    expect(get_user_u32(task.mm, sp + 16)).to.equal(32);
    expect(get_user_u32(task.mm, sp + 20)).to.equal(0xf7ff_d000 + image.symbols.__kernel_vsyscall!);
  });

  it('loads an x32 program', () => {
    file('prog', elf(32, 62, 2, 0x401000, [text(0x401000), GNU_STACK]));
    boot();
    expect(do_execve(task, '/prog', ['prog'], [])).to.equal(0);
    expect(task.threadInfo.flags & (TIF_IA32 | TIF_ADDR32 | TIF_X32)).to.equal(TIF_X32 | TIF_ADDR32);
    expect(task.mm.vdsoImage?.kind).to.equal('x32');
    expect(regs.cs).to.equal(0x33);
  });

  it('places position-independent programs and their loader', () => {
    const name = Buffer.from('/ld.so\0');
    const interp: Segment = { type: 3, flags: 4, vaddr: 0x800, data: name };
    file('ld.so', elf(64, 62, 3, 0x10, [text(0), data(0x2000)]));
    file('prog', elf(64, 62, 3, 0x1000, [interp, text(0x1000), GNU_STACK]));
    file('prog32', elf(32, 3, 3, 0x1000, [text(0x1000), GNU_STACK]));
    boot();
    expect(do_execve(task, '/prog', ['prog'], [])).to.equal(0);
    const [program, ...rest] = maps(task.mm);
    expect(program).to.equal('555555554000-555555555000 r-xp /prog');
    expect(rest.filter((line) => line.endsWith('/ld.so'))).to.deep.equal([
      '7ffff7ffa000-7ffff7ffb000 r-xp /ld.so',
      '7ffff7ffc000-7ffff7ffd000 rw-p /ld.so',
    ]);
    expect(regs.rip).to.equal(0x7fff_f7ff_a010n);
    do_execve(task, '/prog32', ['prog32'], []);
    expect(maps(task.mm)[0]).to.equal('56555000-56556000 r-xp /prog32');
  });

  it('makes all readable memory executable without PT_GNU_STACK', () => {
    file('prog', elf(32, 3, 2, 0x8049000, [text(0x8049000), data(0x804a000)]));
    file('tame', elf(32, 3, 2, 0x8049000, [text(0x8049000), GNU_STACK]));
    boot();
    do_execve(task, '/prog', ['prog'], []);
    expect(task.personality & READ_IMPLIES_EXEC).to.equal(READ_IMPLIES_EXEC);
    expect(maps(task.mm).filter((line) => !line.includes('[vvar]') && !line.includes('x'))).to.deep.equal([]);
    do_execve(task, '/tame', ['tame'], []);
    expect(task.personality & READ_IMPLIES_EXEC).to.equal(0);
  });

  it('runs a script by its interpreter', () => {
    file('sh', elf(64, 62, 2, 0x401000, [text(0x401000), GNU_STACK]));
    file('script', '#! /sh  -e  -x \necho\n');
    file('loop', '#!/loop\n');
    file('lost', '#!/nowhere\n');
    boot();
    expect(do_execve(task, '/script', ['anything', 'arg'], [])).to.equal(0);
    const { mm } = task;
    const args = copy_from_user(mm, mm.argStart, mm.argEnd - mm.argStart) as Uint8Array;
    expect(Buffer.from(args).toString()).to.equal('/sh\0-e  -x\0/script\0arg\0');
    expect(task.comm).to.equal('script');
    expect(mm.exeFile?.path).to.equal('/sh');
    expect(do_execve(task, '/loop', ['loop'], [])).to.equal(-ELOOP);
    expect(do_execve(task, '/lost', ['lost'], [])).to.equal(-ENOENT);
  });

  it('refuses what is no program, and keeps the old one', () => {
    file('sh', elf(64, 62, 2, 0x401000, [text(0x401000), GNU_STACK]));
    file('text', 'hello\n');
    file('closed', 'hello\n', 0o644);
    file('arm', elf(64, 183, 2, 0, [text(0)]));
    file('cut', elf(64, 62, 2, 0, [text(0)]).subarray(0, 80));
    boot();
    do_execve(task, '/sh', ['sh'], []);
    const { mm } = task;
    expect(do_execve(task, '/text', ['text'], [])).to.equal(-ENOEXEC);
    expect(do_execve(task, '/closed', ['closed'], [])).to.equal(-EACCES);
    expect(do_execve(task, '/', ['dir'], [])).to.equal(-EACCES);
    expect(do_execve(task, '/arm', ['arm'], [])).to.equal(-ENOEXEC);
    expect(do_execve(task, '/cut', ['cut'], [])).to.equal(-ENOEXEC);
    expect(do_execve(task, '/none', ['none'], [])).to.equal(-ENOENT);
    expect(task.mm).to.equal(mm);
  });

  it('resets handlers but keeps what is ignored, and gives the old memory back', () => {
    file('sh', elf(64, 62, 2, 0x401000, [text(0x401000), GNU_STACK]));
    boot();
    do_execve(task, '/sh', ['sh'], []);
    const { memory } = task.kernel.cpu;
    const before = memory.framesInUse;
    task.sighand.actions[10] = { handler: 0x401000n, flags: 4, restorer: 1n, mask: 2n };
    task.sighand.actions[12] = { handler: 1n, flags: 4, restorer: 1n, mask: 2n };
    do_execve(task, '/sh', ['sh'], []);
    expect(task.sighand.actions[10]).to.deep.equal({ handler: 0n, flags: 0, restorer: 0n, mask: 0n });
    expect(task.sighand.actions[12]).to.deep.equal({ handler: 1n, flags: 0, restorer: 0n, mask: 0n });
    expect(memory.framesInUse).to.be.at.most(before + 64);
  });
});
