import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { EAGAIN, EBADF, EFAULT, EINVAL, ENOTTY, EPIPE, ERANGE, ERESTARTSYS, ESPIPE } from '../../../linux/abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_NONBLOCK, O_RDWR, O_WRONLY } from '../../../linux/abi/fcntl.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE } from '../../../linux/abi/mman.ts';
import { BLOCKED } from '../../../linux/entry/syscall-row.ts';
import { FilesStruct } from '../../../linux/fs/files-struct.ts';
import { FsStruct } from '../../../linux/fs/fs-struct.ts';
import { proc_pid_maps } from '../../../linux/fs/proc/maps.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';
import type { Kernel } from '../../../linux/kernel.ts';
import { do_mmap } from '../../../linux/mm/mmap.ts';
import { access_process_vm } from '../../../linux/mm/uaccess.ts';
import { sys_dup2 } from '../../../linux/syscalls/descriptors.ts';
import { compat_sys_getdents, sys_getcwd, sys_getdents64, sys_mkdir } from '../../../linux/syscalls/dir.ts';
import { sys_epoll_create1, sys_epoll_ctl, sys_epoll_wait } from '../../../linux/syscalls/epoll.ts';
import { sys_eventfd2 } from '../../../linux/syscalls/eventfd.ts';
import * as F from '../../../linux/syscalls/file.ts';
import { sys_ioctl } from '../../../linux/syscalls/ioctl.ts';
import { sys_pipe2 } from '../../../linux/syscalls/pipe.ts';
import { compat_sys_select, sys_poll } from '../../../linux/syscalls/poll.ts';
import { sys_socketpair } from '../../../linux/syscalls/socket.ts';
import { sys_recvmsg, sys_sendmsg } from '../../../linux/syscalls/socket-message.ts';
import { sys_sendfile64 } from '../../../linux/syscalls/splice.ts';
import { sys_newfstat, sys_newstat, sys32_stat64 } from '../../../linux/syscalls/stat.ts';
import type { Task, Wait } from '../../../linux/task/task.ts';
import { smallMachine } from '../helpers/small-machine.ts';

const BUF = 0x10_0000;
const HOLE = BUF + 0x8000;

/** A task over a small root directory, with memory from BUF to HOLE. */
function setUp(dir: string): { task: Task; woken: string[]; vfs: Vfs } {
  const machine = smallMachine();
  const woken: string[] = [];
  const { memory } = machine;
  Object.assign(memory, { frame: (n: number) => memory.bytes.subarray(n * 4096, n * 4096 + 4096) });
  const kernel = machine.kernel as unknown as Record<string, unknown> & Kernel;
  const vfs = new Vfs({ cpu: kernel.cpu, root: dir });
  const task = machine.task();
  Object.assign(kernel, {
    vfs,
    tasks: new Map([[7, task]]),
    bootEpochNs: 5_000_000_000n,
    debug: { attached: () => false },
    now: () => 1000,
    wake: (channel: string) => void woken.push(channel),
    sleepOn: (t: Task, request: Partial<Wait>) => {
      t.wait = { deadline: undefined, data: undefined, channels: [], killable: false, ...request, reason: undefined };
    },
  });
  vfs.bind(kernel);
  Object.assign(task, {
    pid: 7,
    files: new FilesStruct(),
    fs: new FsStruct(vfs.root),
    cred: { fsuid: 0, fsgid: 0, uid: 0, gid: 0, euid: 0, egid: 0, groups: [], capEffective: 0n },
    sigPending: false,
    exitState: undefined,
    comm: 'test',
  });
  Object.defineProperty(task, 'group', { value: { tgid: 7, rlimits: [], threads: [task] } });
  Object.defineProperty(task, 'tgid', { value: 7 });
  do_mmap(task, BUF, 0x8000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, undefined, 0);
  return { task, woken, vfs };
}

describe('file system calls', () => {
  let dir: string;
  let task: Task;
  let woken: string[];
  let vfs: Vfs;

  const poke = (at: number, bytes: Uint8Array | string): number => {
    access_process_vm(task.mm, at, typeof bytes === 'string' ? Buffer.from(`${bytes}\0`) : bytes);
    return at;
  };
  const peek = (at: number, size: number): Buffer => Buffer.from(access_process_vm(task.mm, at, size));
  const open = (path: string, flags = 0): number => F.sys_open(task, poke(BUF, path), flags, 0o644) as number;
  const pipe = (flags = 0): [number, number] => {
    expect(sys_pipe2(task, BUF, flags)).to.equal(0);
    return [peek(BUF, 4).readInt32LE(), peek(BUF + 4, 4).readInt32LE()];
  };
  /** Calls again, as the kernel does after a wake-up. */
  const again = <T>(reason: 'woken' | 'timeout' | 'signal', call: () => T): T => {
    task.wait!.reason = reason;
    const result = call();
    if ((result as unknown) !== BLOCKED) task.wait = undefined;
    return result;
  };

  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'compat-calls-'));
    fs.mkdirSync(join(dir, 'd'));
    fs.writeFileSync(join(dir, 'f'), 'hello world\n');
    ({ task, woken, vfs } = setUp(dir));
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  it('read, write, lseek, pread share a position as Linux does', () => {
    const fd = open('/f', O_RDWR);
    expect(fd).to.equal(0);
    expect(F.sys_read(task, fd, BUF, 5)).to.equal(5);
    expect(peek(BUF, 5).toString()).to.equal('hello');
    expect(F.sys_pread64(task, fd, BUF, 100, 6)).to.equal(6);
    expect(F.sys_lseek(task, fd, 0, 1)).to.equal(5);
    poke(BUF, 'WORLD');
    expect(F.sys_write(task, fd, BUF, 5)).to.equal(5);
    expect(F.sys_lseek(task, fd, -3, 2)).to.equal(9);
    expect(F.sys_read(task, fd, BUF, 100)).to.equal(3);
    expect(F.sys_read(task, fd, BUF, 100)).to.equal(0);
    expect(F.sys_lseek(task, fd, -1, 0)).to.equal(-EINVAL);
    expect(F.sys_read(task, 99, BUF, 1)).to.equal(-EBADF);
    expect(F.sys_close(task, fd)).to.equal(0);
    expect(F.sys_close(task, fd)).to.equal(-EBADF);
  });

  it('copy what they can before a fault', () => {
    const fd = open('/f', O_RDWR);
    expect(F.sys_read(task, fd, HOLE - 4, 10)).to.equal(4);
    expect(F.sys_read(task, fd, HOLE, 10)).to.equal(-EFAULT);
    expect(F.sys_write(task, fd, HOLE - 2, 10)).to.equal(2);
    expect(F.sys_write(task, fd, HOLE, 10)).to.equal(-EFAULT);
    expect(F.sys_open(task, HOLE, 0, 0)).to.equal(-EFAULT);
  });

  it('readv and writev take vectors of both ABIs', () => {
    const fd = open('/new', O_CREAT | O_RDWR);
    poke(BUF + 0x100, 'abcdef');
    poke(BUF, new Uint8Array(BigUint64Array.of(BigInt(BUF + 0x100), 2n, BigInt(BUF + 0x103), 3n).buffer));
    expect(F.sys_writev(task, fd, BUF, 2)).to.equal(5);
    poke(BUF, new Uint8Array(Uint32Array.of(BUF + 0x200, 3, BUF + 0x300, 9).buffer));
    expect(F.compat_sys_preadv(task, fd, BUF, 2, 0, 0)).to.equal(5);
    expect(peek(BUF + 0x200, 3).toString() + peek(BUF + 0x300, 2).toString()).to.equal('abdef');
    expect(F.sys_writev(task, fd, BUF, 2000)).to.equal(-EINVAL);
  });

  it('a pipe blocks its reader, wakes it, and gives 0 when the writer is gone', () => {
    const [r, w] = pipe();
    expect(F.sys_lseek(task, r, 0, 0)).to.equal(-ESPIPE);
    expect(F.sys_read(task, r, BUF, 10)).to.equal(BLOCKED);
    const [channel] = task.wait!.channels;
    task.wait = undefined;
    poke(BUF + 64, 'xyz');
    expect(F.sys_write(task, w, BUF + 64, 3)).to.equal(3);
    expect(woken).to.include(channel);
    F.sys_read(task, r, BUF, 10);
    expect(peek(BUF, 3).toString()).to.equal('xyz');
    expect(F.sys_read(task, r, BUF, 1)).to.equal(BLOCKED);
    expect(again('signal', () => F.sys_read(task, r, BUF, 1))).to.equal(-ERESTARTSYS);
    F.sys_close(task, w);
    expect(F.sys_read(task, r, BUF, 1)).to.equal(0);
  });

  it('a long write to a pipe goes on where it stopped', () => {
    const [r, w] = pipe();
    const big = do_mmap(task, 0, 0x1_8000, 3, MAP_PRIVATE | MAP_ANONYMOUS, undefined, 0);
    const call = () => F.sys_write(task, w, big, 0x1_8000);
    expect(call()).to.equal(BLOCKED);
    expect(F.sys_read(task, r, BUF, 0x4000)).to.equal(0x4000);
    expect(again('woken', call)).to.equal(BLOCKED);
    expect(again('signal', call)).to.equal(0x1_4000);
  });

  it('O_NONBLOCK answers EAGAIN, a pipe without reader EPIPE', () => {
    const [r, w] = pipe(O_NONBLOCK);
    expect(F.sys_read(task, r, BUF, 1)).to.equal(-EAGAIN);
    F.sys_close(task, r);
    const signals: number[] = [];
    Object.assign(task, { blocked: 0n, realBlocked: 0n, pending: { list: [], set: 0n }, state: 'running' });
    Object.assign(task.group, { sharedPending: { list: [], set: 0n }, flags: 0 });
    Object.assign(task, { sighand: { actions: Array.from({ length: 65 }, () => ({ handler: 4n })) } });
    expect(F.sys_write(task, w, BUF, 1)).to.equal(-EPIPE);
    signals.push(...task.pending.list.map((info) => info.signo));
    expect(signals).to.deep.equal([13]);
  });

  it('stat fills the structures of both ABIs', () => {
    const host = fs.lstatSync(join(dir, 'f'), { bigint: true });
    expect(sys_newstat(task, poke(BUF, '/f'), BUF + 512)).to.equal(0);
    const st = peek(BUF + 512, 144);
    expect(st.readBigUInt64LE(0)).to.equal(host.dev);
    expect(st.readBigUInt64LE(8)).to.equal(host.ino);
    expect(st.readUInt32LE(24)).to.equal(Number(host.mode));
    expect(st.readBigInt64LE(48)).to.equal(12n);
    expect(st.readBigInt64LE(88)).to.equal(host.mtimeNs / 1_000_000_000n);
    expect(sys32_stat64(task, BUF, BUF + 512)).to.equal(0);
    const st32 = peek(BUF + 512, 96);
    expect(st32.readUInt32LE(16)).to.equal(Number(host.mode));
    expect(st32.readBigInt64LE(44)).to.equal(12n);
    expect(st32.readUInt32LE(72)).to.equal(Number(host.mtimeNs / 1_000_000_000n));
    expect(st32.readBigUInt64LE(88)).to.equal(host.ino);
    expect(sys_newfstat(task, 9, BUF)).to.equal(-EBADF);
  });

  it('getdents64 and the old getdents of i386 list in order', () => {
    expect(sys_mkdir(task, poke(BUF, '/a'), 0o755)).to.equal(0);
    const fd = open('/');
    const size = sys_getdents64(task, fd, BUF, 4096);
    const names: string[] = [];
    const bytes = peek(BUF, size);
    for (let at = 0; at < size; at += bytes.readUInt16LE(at + 16))
      names.push(`${bytes[at + 18]}:${bytes.toString('utf8', at + 19, bytes.indexOf(0, at + 19))}`);
    expect(names).to.deep.equal(['4:.', '4:..', '4:a', '4:d', '8:f']);
    expect(sys_getdents64(task, fd, BUF, 4096)).to.equal(0);
    F.sys_lseek(task, fd, 0, 0);
    expect(compat_sys_getdents(task, fd, BUF, 4)).to.equal(-EINVAL);
    expect(compat_sys_getdents(task, fd, BUF, 16)).to.equal(16);
    expect(peek(BUF + 15, 1)[0]).to.equal(4);
  });

  it('getcwd counts the NUL', () => {
    expect(sys_getcwd(task, BUF, 1)).to.equal(-ERANGE);
    expect(sys_getcwd(task, BUF, 2)).to.equal(2);
    expect(peek(BUF, 2).toString()).to.equal('/\0');
  });

  it('poll and select wait for the first ready descriptor', () => {
    const [r, w] = pipe();
    const fds = (): Buffer => Buffer.from(Int16Array.of(r, 0, 1, 0).buffer);
    const call = () => sys_poll(task, BUF, 1, 10);
    poke(BUF, fds());
    expect(call()).to.equal(BLOCKED);
    expect(task.wait!.deadline).to.equal(10_001_000);
    expect(again('timeout', call)).to.equal(0);
    F.sys_write(task, w, BUF, 1);
    expect(call()).to.equal(1);
    expect(peek(BUF + 6, 2).readUInt16LE()).to.equal(1);
    poke(BUF + 64, Buffer.from(Uint32Array.of(1 << r, 0, 1 << w).buffer));
    expect(compat_sys_select(task, w + 1, BUF + 64, BUF + 72, 0, 0)).to.equal(2);
  });

  it('epoll reports levels again, edges once and one-shots once', () => {
    const ep = sys_epoll_create1(task, 0);
    const efd = sys_eventfd2(task, 1, 0);
    const event = (events: number): number => poke(BUF, Buffer.from(Uint32Array.of(events, 42, 0).buffer));
    const wait = () => sys_epoll_wait(task, ep, BUF, 8, 0);
    expect(sys_epoll_ctl(task, ep, 1, efd, event(1))).to.equal(0);
    expect([wait(), wait()]).to.deep.equal([1, 1]);
    expect(peek(BUF + 4, 1)[0]).to.equal(42);
    expect(sys_epoll_ctl(task, ep, 3, efd, event(0x8000_0001))).to.equal(0);
    expect([wait(), wait()]).to.deep.equal([1, 0]);
    poke(BUF, Buffer.from(BigUint64Array.of(1n).buffer));
    F.sys_write(task, efd, BUF, 8);
    expect([wait(), wait()]).to.deep.equal([1, 0]);
    expect(sys_epoll_ctl(task, ep, 3, efd, event(0x4000_0001))).to.equal(0);
    expect([wait(), wait()]).to.deep.equal([1, 0]);
    expect(sys_epoll_ctl(task, ep, 1, open('/f'), event(1))).to.equal(-1);
  });

  it('a socket pair carries bytes and descriptors', () => {
    expect(sys_socketpair(task, 1, 1, 0, BUF)).to.equal(0);
    const file = open('/f');
    poke(BUF + 0x400, 'data');
    poke(BUF + 0x100, Buffer.from(BigUint64Array.of(BigInt(BUF + 0x400), 4n).buffer));
    const control = Buffer.alloc(24);
    control.writeUInt32LE(20, 0);
    control.writeUInt32LE(1, 8);
    control.writeUInt32LE(1, 12);
    control.writeUInt32LE(file, 16);
    poke(BUF + 0x200, control);
    const header = BigUint64Array.of(0n, 0n, BigInt(BUF + 0x100), 1n, BigInt(BUF + 0x200), 24n, 0n);
    poke(BUF + 0x300, Buffer.from(header.buffer));
    expect(sys_sendmsg(task, 0, BUF + 0x300, 0)).to.equal(4);
    poke(BUF + 0x200, Buffer.alloc(24));
    expect(sys_recvmsg(task, 1, BUF + 0x300, 0)).to.equal(4);
    const fd = peek(BUF + 0x210, 4).readInt32LE();
    expect(F.sys_read(task, fd, BUF, 5)).to.equal(5);
    F.sys_close(task, 0);
    expect(F.sys_read(task, 1, BUF, 5)).to.equal(0);
  });

  it('sendfile and dup2 work on what read and write do', () => {
    const from = open('/f');
    const to = open('/copy', O_CREAT | O_WRONLY);
    expect(sys_sendfile64(task, to, from, 0, 100)).to.equal(12);
    expect(sys_dup2(task, to, 9)).to.equal(9);
    expect(F.sys_lseek(task, 9, 0, 1)).to.equal(12);
    expect(sys_ioctl(task, from, 0x5401, BUF)).to.equal(-ENOTTY);
    expect(F.do_sys_open(task, AT_FDCWD, poke(BUF, '/copy/x'), 0, 0)).to.equal(-20);
  });

  it('/proc/PID/maps has the columns of Linux', () => {
    const file = vfs.openAs(task, '/proc/self/maps', 0);
    expect(file).not.to.be.a('number');
    const lines = proc_pid_maps(task).split('\n');
    expect(lines[0]).to.equal('00100000-00108000 rw-p 00000000 00:00 0 ');
    expect(lines[1]).to.equal('ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0                  [vsyscall]');
    const fd = open('/f');
    expect(do_mmap(task, 0x20_0000, 0x1000, 1, MAP_PRIVATE | MAP_FIXED, task.files.get(fd), 0)).to.equal(0x20_0000);
    const line = proc_pid_maps(task).split('\n')[1]!;
    expect(line.slice(0, 39)).to.match(/^00200000-00201000 r--p 00000000 ..:.. /);
    expect(line.indexOf('/f')).to.equal(73);
  });
});
