import { EINVAL } from '../../abi/errno.ts';
import { RELEASE, VERSION } from '../../version.ts';
import { locksText } from '../locks.ts';
import type { Vfs } from '../vfs.ts';
import { mounts } from './base.ts';
import type { ProcEntry } from './entry.ts';

const PID_MAX = 32768;
const release = (vfs: Vfs): string => vfs.kernel.options?.release ?? RELEASE;

const seconds = (ns: number): string => {
  const hundredths = Math.floor(ns / 10_000_000);
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
};

function meminfo(vfs: Vfs): string {
  const total = vfs.kernel.cpu.memory.frameLimit * 4;
  const used = (vfs.kernel.cpu.memory.framesInUse ?? 0) * 4;
  const row = (name: string, kb: number): string => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB\n`;
  return (
    row('MemTotal', total) +
    row('MemFree', total - used) +
    row('MemAvailable', total - used) +
    row('Buffers', 0) +
    row('Cached', 0) +
    row('SwapCached', 0) +
    row('Active', used) +
    row('Inactive', 0) +
    row('SwapTotal', 0) +
    row('SwapFree', 0) +
    row('Dirty', 0) +
    row('Writeback', 0) +
    row('AnonPages', used) +
    row('Mapped', 0) +
    row('Shmem', 0) +
    row('Slab', 0) +
    row('SReclaimable', 0) +
    row('SUnreclaim', 0) +
    row('KernelStack', vfs.kernel.tasks.size * 16) +
    row('PageTables', 0) +
    row('NFS_Unstable', 0) +
    row('Bounce', 0) +
    row('WritebackTmp', 0) +
    row('CommitLimit', total / 2) +
    row('Committed_AS', used) +
    row('VmallocTotal', 34359738367) +
    row('VmallocUsed', 0) +
    row('VmallocChunk', 0)
  );
}

/** show_cpuinfo(), arch/x86/kernel/cpu/proc.c, cut to what programs look for. */
const cpuinfo = (): string =>
  `${[
    ['processor\t', '0'],
    ['vendor_id\t', 'AuthenticAMD'],
    ['cpu family\t', '6'],
    ['model\t\t', '6'],
    ['model name\t', 'compat-gdbserver virtual CPU'],
    ['stepping\t', '3'],
    ['cpu MHz\t\t', '1000.000'],
    ['cache size\t', '512 KB'],
    ['physical id\t', '0'],
    ['siblings\t', '1'],
    ['core id\t\t', '0'],
    ['cpu cores\t', '1'],
    ['fpu\t\t', 'yes'],
    ['fpu_exception\t', 'yes'],
    ['cpuid level\t', '13'],
    ['wp\t\t', 'yes'],
    [
      'flags\t\t',
      'fpu tsc cx8 sep cmov mmx fxsr sse sse2 syscall nx lm pni ssse3 cx16 sse4_1 sse4_2 popcnt xsave lahf_lm',
    ],
    ['bogomips\t', '2000.00'],
    ['clflush size\t', '64'],
    ['cache_alignment\t', '64'],
    ['address sizes\t', '40 bits physical, 48 bits virtual'],
  ]
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')}\n`;

function stat(vfs: Vfs): string {
  const now = vfs.kernel.now();
  const boot = Math.floor(Number(BigInt(vfs.kernel.bootEpochNs) / 1_000_000_000n));
  const ticks = Math.floor(now / 10_000_000);
  const cpu = `${ticks} 0 0 0 0 0 0 0 0 0`;
  const running = [...vfs.kernel.tasks.values()].filter((t) => t.state === 'running').length;
  return (
    `cpu  ${cpu}\ncpu0 ${cpu}\nintr 0\nctxt 0\nbtime ${boot}\n` +
    `processes ${vfs.kernel.tasks.size}\nprocs_running ${running}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}

/** vmstat_show(), mm/vmstat.c: the counters that vmstat(8) reads. */
function vmstat(vfs: Vfs): string {
  const { memory } = vfs.kernel.cpu;
  const free = memory.frameLimit - memory.framesInUse;
  const names = ['pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgalloc_normal', 'pgfree', 'pgfault', 'pgmajfault'];
  return `nr_free_pages ${free}\nnr_file_pages ${vfs.filePages}\n${names.map((name) => `${name} 0\n`).join('')}`;
}

/** Files of /proc itself: fs/proc/*.c. */
export const rootEntries: readonly ProcEntry[] = [
  { name: 'cmdline', mode: 0o444, show: () => 'BOOT_IMAGE=/vmlinuz\n' },
  { name: 'cpuinfo', mode: 0o444, show: () => cpuinfo() },
  {
    name: 'devices',
    mode: 0o444,
    show: () => 'Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n',
  },
  {
    name: 'filesystems',
    mode: 0o444,
    show: () => ['sysfs', 'tmpfs', 'proc', 'devtmpfs', 'pipefs', 'overlay'].map((f) => `nodev\t${f}\n`).join(''),
  },
  { name: 'diskstats', mode: 0o444, show: () => '' },
  { name: 'interrupts', mode: 0o444, show: () => '           CPU0       \n' },
  { name: 'loadavg', mode: 0o444, show: (vfs) => `0.00 0.00 0.00 1/${vfs.kernel.tasks.size} ${lastPid(vfs)}\n` },
  { name: 'locks', mode: 0o444, show: (vfs) => locksText(vfs.locked) },
  { name: 'meminfo', mode: 0o444, show: meminfo },
  { name: 'modules', mode: 0o444, show: () => '' },
  { name: 'partitions', mode: 0o444, show: () => 'major minor  #blocks  name\n\n' },
  { name: 'stat', mode: 0o444, show: stat },
  { name: 'vmstat', mode: 0o444, show: vmstat },
  { name: 'swaps', mode: 0o444, show: () => 'Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n' },
  { name: 'uptime', mode: 0o444, show: (vfs) => `${seconds(vfs.kernel.now())} 0.00\n` },
  { name: 'version', mode: 0o444, show: (vfs) => `Linux version ${release(vfs)} (compat-gdbserver) ${VERSION}\n` },
  { name: 'mounts', mode: 0o444, show: () => mounts() },
];

const lastPid = (vfs: Vfs): number => vfs.kernel.lastPid ?? 0;

const fixed = (name: string, text: string, mode = 0o444): ProcEntry =>
  mode === 0o444 ? { name, mode, show: () => `${text}\n` } : { name, mode, show: () => `${text}\n`, store: () => 0 };

/** /proc/sys, a directory per first component: kernel/sysctl.c. */
export const sysEntries: Readonly<Record<string, readonly ProcEntry[]>> = {
  kernel: [
    fixed('cap_last_cap', '37'),
    {
      name: 'core_pattern',
      mode: 0o644,
      show: (vfs) => `${vfs.kernel.coreState?.pattern ?? 'core'}\n`,
      store: (vfs, _task, text) => {
        if (vfs.kernel.coreState) vfs.kernel.coreState.pattern = text.replace(/\n.*$/s, '').slice(0, 127);
        return 0;
      },
    },
    {
      name: 'core_pipe_limit',
      mode: 0o644,
      show: (vfs) => `${vfs.kernel.coreState?.pipeLimit ?? 0}\n`,
      store: (vfs, _task, text) => {
        if (!/^\s*\d+\s*$/.test(text) || Number(text) >= 2 ** 32) return -EINVAL;
        if (vfs.kernel.coreState) vfs.kernel.coreState.pipeLimit = Number(text);
        return 0;
      },
    },
    {
      name: 'core_uses_pid',
      mode: 0o644,
      show: (vfs) => `${vfs.kernel.coreState?.usesPid ? 1 : 0}\n`,
      store: (vfs, _task, text) => {
        if (!/^\s*-?\d+\s*$/.test(text)) return -EINVAL;
        if (vfs.kernel.coreState) vfs.kernel.coreState.usesPid = Number(text) !== 0;
        return 0;
      },
    },
    { name: 'domainname', mode: 0o644, show: (vfs) => `${vfs.kernel.domainname ?? '(none)'}\n` },
    { name: 'hostname', mode: 0o644, show: (vfs) => `${vfs.kernel.hostname ?? 'localhost'}\n` },
    fixed('ngroups_max', '65536'),
    {
      name: 'ns_last_pid',
      mode: 0o666,
      show: (vfs) => `${lastPid(vfs)}\n`,
      store: (vfs, _task, text) => {
        const value = Number(text);
        if (!Number.isInteger(value) || value < 0 || value > PID_MAX) return -EINVAL;
        vfs.kernel.lastPid = value;
        return 0;
      },
    },
    { name: 'osrelease', mode: 0o444, show: (vfs) => `${release(vfs)}\n` },
    fixed('ostype', 'Linux'),
    fixed('pid_max', String(PID_MAX), 0o644),
    fixed('randomize_va_space', '0', 0o644),
    fixed('threads-max', '15565', 0o644),
    fixed('version', VERSION),
    fixed('vsyscall32', '1', 0o644),
  ],
  vm: [
    fixed('mmap_min_addr', '65536', 0o644),
    fixed('overcommit_memory', '0', 0o644),
    fixed('max_map_count', '65530', 0o644),
  ],
  fs: [
    fixed('nr_open', '1048576', 0o644),
    fixed('file-max', '391000', 0o644),
    fixed('pipe-max-size', '1048576', 0o644),
    {
      name: 'suid_dumpable',
      mode: 0o644,
      show: (vfs) => `${vfs.kernel.coreState?.suidDumpable ?? 0}\n`,
      store: (vfs, _task, text) => {
        const value = Number(text);
        if (![0, 1, 2].includes(value)) return -EINVAL;
        if (vfs.kernel.coreState) vfs.kernel.coreState.suidDumpable = value;
        return 0;
      },
    },
  ],
};
