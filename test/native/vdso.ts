/** (c) arch_prctl(ARCH_MAP_VDSO_*) and (d) mremap of the vDSO. */
import { type Exception, instead, type Recording, sections, type Variation } from './rules.ts';

const VCLOCK = '[vvar] has 2 pages in v4.7; 6.18 has 4, and beside it [vvar_vclock]';
const PARTIAL = '6.18 keeps [vdso] and [vvar] in one piece; v4.7 refuses only to move a part of [vdso]';
const SMALL = 'the i386 image has one page here, two there';

// ---- arch_prctl

/** A list of mappings: names, and where the first one lies if a hint was taken. */
function mapsOf(line: string): string {
  const areas = [...line.matchAll(/([0-9a-f]+)-[0-9a-f]+\[(\w+)\]/g)].filter((m) => m[2] !== 'vsyscall');
  const chosen = areas[0] && /^(0*1000|50\w+|7f0000000000)$/.test(areas[0][1]!) ? ` at ${areas[0][1]}` : '';
  return areas.map((m) => `[${m[2]}]`).join('') + chosen;
}

const archVaries: readonly Variation[] = [
  [/maps\((start|after)\): (.*)/g, (_all, when, line) => `maps(${when}): ${mapsOf(line!)}`],
  [/munmap [0-9a-f]+-[0-9a-f]+ = 0/g, 'munmap = 0'],
];

/** What arch_prctl64 prints with one [vvar] of two pages. */
const vclock: readonly Exception[] = [
  instead(VCLOCK, /\[vvar_vclock\]/g, ''),
  instead(VCLOCK, /(unmap=[23].*\n {3}munmap = 0\n) {3}munmap = 0\n/g, '$1'),
];

/** Applies `change` to the sections of a code. */
const ofCode = (reason: string, code: string, change: (section: string) => string): Exception => ({
  reason,
  change: (text) =>
    sections(text, /\n(?=--)/)
      .map((section) => (section.includes(`code=${code} `) ? change(section) : section))
      .join('\n'),
});

const X32 = 'CONFIG_X86_X32_ABI: there is an x32 vDSO';
const ROUNDED = 'a hint is rounded up to a page in v4.7, down in 6.18';

const arch64 = (kernel: string, exceptions: readonly Exception[]): Recording => ({
  file: 'c_archprctl64.txt',
  program: 'archprctl64',
  kernel,
  varies: archVaries,
  exceptions: [...vclock, ...exceptions],
});

const EEXIST = 'ret=-17 (0xffffffffffffffef)File exists';
const EINVAL = 'ret=-22 (0xffffffffffffffea)Invalid argument';

const merged: readonly Exception[] = [
  ofCode(X32, '2001', (section) => {
    if (!section.includes('all unmapped')) return section.replace(EINVAL, EEXIST);
    return section
      .replace(EINVAL, 'ret=4096 (0x1000)')
      .replace(/maps\(after\): $/, 'maps(after): [vvar][vdso]\n   image class=1 machine=62');
  }),
  ofCode(SMALL, '2002', (section) => section.replace('ret=8192 (0x2000)', 'ret=4096 (0x1000)')),
  instead(ROUNDED, /(unaligned[\s\S]*? at )50000000/g, '$150001000'),
];

/** Where [vdso] and [vvar] are still there, a second pair comes below them. */
const posted: readonly Exception[] = [
  ...merged.slice(2),
  {
    reason: 'the series as posted maps a second vDSO beside the first, and returns 0',
    change: (text) =>
      sections(text, /\n(?=--)/)
        .map((section) => {
          if (!/code=200[123] /.test(section)) return section;
          return section
            .replace(/ret=(8192|-17|-22).*/, 'ret=0 (0x0)')
            .replace(/(unmap=[012][\s\S]*maps\(after\): )/, '$1[vvar][vdso]')
            .replace(/(unmap=3[\s\S]*maps\(after\): )$/, '$1[vvar][vdso]')
            .replace(/\n {3}image.*/, '');
        })
        .join('\n'),
  },
];

const unpatched: readonly Exception[] = [
  {
    reason: 'no patch 0003: the codes are unknown',
    change: (text) =>
      sections(text, /\n(?=--)/)
        .map((section) => {
          if (!/code=200[123] /.test(section)) return section;
          return section
            .replace(/ret=(8192|-17|-22).*/, EINVAL)
            .replace(/(unmap=3[\s\S]*maps\(after\): ).*/, '$1')
            .replace(/\n {3}image.*/, '');
        })
        .join('\n'),
  },
];

// ---- mremap

/** Where the two mappings lie, against the start: as it was, moved, or gone, and whether it is whole. */
function layouts(text: string): string {
  const start = new Map<string, { from: string; size: bigint }>();
  return text.replace(/(start|after|moved): vvar (\w+)-(\w+) vclk \w+-\w+ vdso (\w+)-(\w+)/g, (_all, when, ...at) => {
    const [vvar, vvarEnd, vdso, vdsoEnd] = at as string[];
    const say = (name: string, from: string, to: string): string => {
      const size = BigInt(`0x${to}`) - BigInt(`0x${from}`);
      if (when === 'start') start.set(name, { from, size });
      const first = start.get(name)!;
      const place = from === first.from ? 'home' : from === '0' ? 'gone' : 'moved';
      return `${name} ${place} ${size === first.size ? 'whole' : 'part'}`;
    };
    return `${when}: ${say('vvar', vvar!, vvarEnd!)}, ${say('vdso', vdso!, vdsoEnd!)}`;
  });
}

const mremapVaries: readonly Variation[] = [
  [/^[\s\S]*$/, layouts],
  [/-> [0-9a-f]+ \(ok/g, '-> ADDR (ok'],
  [/move -> [0-9a-f]+/g, 'move -> ADDR'],
  [/to=[1-9a-f][0-9a-f]{6,}/g, 'to=ADDR'],
];

/** Lengths of the whole, of the last page, of one page more: as tables of the two kernels. */
const vvarSizes: Exception = instead(VCLOCK, /map=0 off=(\d000|0) old=(\d)000 new=(\d)000/g, (_all, off, old, next) => {
  const size = (n: string): string => ({ '4': '2', '5': '3' })[n] ?? n;
  return `map=0 off=${off === '3000' ? '1000' : off} old=${size(old!)}000 new=${size(next!)}000`;
});

/** The lines of an operation and of the layout behind it. */
const operations = (text: string, change: (operation: string, after: string) => string): string =>
  text.replace(/^(.*: map=\d.*)\n( {3}after: .*)$/gm, (_all, operation: string, after: string) =>
    change(operation, after),
  );

const noVclock: Exception = {
  reason: VCLOCK,
  change: (text) =>
    operations(text, (operation, after) => (operation.includes('map=1 ') ? '-' : `${operation}\n${after}`)).replace(
      /^-\n/gm,
      '',
    ),
};

const REFUSED = /-> f+ea \(Invalid argument\)/;

/** Pieces of [vvar] move, and both shrink in place. */
const pieces = (i386: boolean): Exception => ({
  reason: PARTIAL,
  change: (text) =>
    operations(text, (operation, after) => {
      const vvar = operation.includes('map=0');
      const move = /^(first|last) page/.test(operation);
      const shrink = operation.startsWith('shrink');
      // A one-page [vdso] is its own first and last page: those are moves of the whole.
      if (!REFUSED.test(operation) || (!shrink && !(move && (vvar || i386)))) return `${operation}\n${after}`;
      const moved = operation.replace(REFUSED, '-> ADDR (ok)');
      if (i386 && !vvar) return `${moved}\n${move ? after.replace('vdso home', 'vdso moved') : after}`;
      const name = vvar ? 'vvar' : 'vdso';
      const start = vvar && operation.startsWith('first') ? 'moved' : 'home';
      return `${moved}\n${after.replace(`${name} home whole`, `${name} ${start} part`)}`;
    }),
});

const onePage: Exception = {
  ...instead(SMALL, /map=2 off=(\w+) old=(\d)000 new=(\d)000/g, (_all, off, old, next) => {
    const size = (n: string): string => ({ '2': '1', '3': '2' })[n] ?? n;
    return `map=2 off=${off === '1000' ? '0' : off} old=${size(old!)}000 new=${size(next!)}000`;
  }),
};

const splits: readonly Exception[] = [
  instead(PARTIAL, /munmap 2nd vdso page=-1 errno=22/, 'munmap 2nd vdso page=0 errno=0'),
  instead(PARTIAL, /mprotect vdso rwx=-1 errno=22/, 'mprotect vdso rwx=0 errno=0\nwrite vdso byte ok (COW)'),
];

const mremap64: readonly Exception[] = [
  vvarSizes,
  noVclock,
  pieces(false),
  ...splits,
  instead(PARTIAL, /(munmap 2nd vdso page=0 errno=0\n {3}after: vvar home whole, vdso home) whole/, '$1 part'),
];

const noHook: Exception = {
  reason: 'without the patch base nothing looks at what is moved: a part of [vdso] goes, too',
  change: (text) =>
    operations(text, (operation, after) => {
      if (!REFUSED.test(operation) || !/^(first|last) page/.test(operation)) return `${operation}\n${after}`;
      const start = operation.startsWith('first') ? 'moved' : 'home';
      return `${operation.replace(REFUSED, '-> ADDR (ok)')}\n${after.replace('vdso home whole', `vdso ${start} part`)}`;
    }),
};

export const VDSO_RECORDINGS: readonly Recording[] = [
  arch64('v4.12', merged),
  arch64('v4.9', merged),
  arch64('compat-cr', posted),
  arch64('v4.7-rc1', unpatched),
  {
    file: 'c_archprctl32.txt',
    program: 'archprctl32',
    kernel: 'compat-cr',
    varies: archVaries,
    exceptions: [
      ...vclock,
      instead(
        'there is no arch_prctl(2) for i386 before v4.12',
        /ret=-22.*/g,
        'ret=-38 (0xffffffda)Function not implemented',
      ),
    ],
  },
  { file: 'd_mremap64.txt', program: 'mremap_vdso64', kernel: 'compat-cr', varies: mremapVaries, exceptions: mremap64 },
  {
    file: 'd_mremap64.txt',
    program: 'mremap_vdso64',
    kernel: 'compat-cr',
    patches: 'none',
    varies: mremapVaries,
    exceptions: [...mremap64, noHook],
  },
  {
    file: 'd_mremap32.txt',
    program: 'mremap_vdso32',
    kernel: 'compat-cr',
    varies: mremapVaries,
    exceptions: [vvarSizes, noVclock, onePage, pieces(true), ...splits],
  },
];
