/** Control transfers that load CS, and IRET, as a program at CPL 3 can use them; Intel SDM vol. 2 and vol. 3, 5.8. */
import { Vector } from '../exit.ts';
import { Flag } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { AccessInfo } from '../interp/record.ts';
import { Attribute, descriptorDpl } from '../segment.ts';
import {
  checkAccess,
  checkCode,
  checkStackSelector,
  findDescriptor,
  loadSegmentRegister,
  type SegmentFault,
} from '../segment-checks.ts';
import { Segment } from '../state.ts';
import { helper } from './row.ts';

function refuse(h: HelperContext, fault: SegmentFault | undefined): void {
  if (fault) h.raise(fault.vector, fault.errorCode);
}

const isCanonical = (rip: bigint): boolean => BigInt.asIntN(48, rip) === BigInt.asIntN(64, rip);

/** Checks CS and the target before anything changes. */
function checkTarget(h: HelperContext, selector: number, rip: bigint): void {
  refuse(h, checkCode(h.cpu, selector));
  checkOffset(h, selector, rip);
}

function checkOffset(h: HelperContext, selector: number, rip: bigint): void {
  const d = findDescriptor(h.cpu, selector)!;
  if (d.attributes & Attribute.Long) {
    if (!isCanonical(rip)) h.raise(Vector.GP);
  } else if ((rip & 0xffffffffn) > BigInt(d.limit)) h.raise(Vector.GP);
}

/** Loads CS and goes on at `rip`; a change between 64-bit and compatibility mode is an Exit. */
function transfer(h: HelperContext, selector: number, rip: bigint): void {
  const { segments } = h.cpu;
  const from = segments.selector(Segment.CS);
  const wasLong = segments.long;
  refuse(h, loadSegmentRegister(h.cpu, Segment.CS, selector));
  const to = segments.selector(Segment.CS);
  if (segments.long === wasLong) h.leave(rip);
  else {
    // What 32-bit code cannot see of the registers is kept; RSP and RIP are used with the width of the new mode.
    if (segments.long) h.exit({ kind: 'cs-switch', from, to }, rip);
    else {
      h.setRegister(4, 32, h.register(4));
      h.exit({ kind: 'cs-switch', from, to }, rip & 0xffffffffn);
    }
  }
}

/** m16:16, m16:32 or m16:64, or ptr16:16/32 in the instruction. */
function farPointer(h: HelperContext): { selector: number; rip: bigint } {
  const { size } = h;
  if (!h.isMemory(0)) return { selector: h.imm2 & 0xffff, rip: BigInt.asUintN(size, BigInt(h.imm)) };
  const rip = h.load(size, h.address(0));
  return { selector: Number(h.load(16, h.addressAt(0, size / 8))), rip };
}

/** A code segment or a call gate; Linux sets up no gates, so a gate cannot be met. */
export const farJump = helper((h) => {
  const { selector, rip } = farPointer(h);
  checkTarget(h, selector, rip);
  transfer(h, selector, rip);
});

/** CALL pushes with the stack of the mode it goes to: in 64-bit mode RSP without a segment, else ESP or SP in SS. */
export const farCall = helper((h) => {
  const { selector, rip } = farPointer(h);
  refuse(h, checkCode(h.cpu, selector));
  const { segments } = h.cpu;
  const toLong = (findDescriptor(h.cpu, selector)!.attributes & Attribute.Long) !== 0;
  const big = (segments.attributes(Segment.SS) & Attribute.Big) !== 0;
  const mask = toLong ? 0xffffffffffffffffn : big ? 0xffffffffn : 0xffffn;
  const bytes = h.size / 8;
  const sp = h.register(4);
  const push = (n: number, v: bigint): void => {
    const offset = (sp - BigInt(bytes * n)) & mask;
    h.cpu.access.stack = true;
    h.storeLinear(h.size, checkAccess(h.cpu, h.record, offset, bytes, STACK_WRITE, toLong), v);
  };
  push(1, BigInt(segments.selector(Segment.CS)));
  push(2, h.nextRip);
  h.cpu.access.stack = false;
  checkOffset(h, selector, rip);
  const moved = (sp - BigInt(2 * bytes)) & mask;
  h.setRegister(4, 64, mask === 0xffffn ? (sp & 0xffff0000n) | moved : moved);
  transfer(h, selector, rip);
});
const STACK_WRITE = AccessInfo.Stack | AccessInfo.Write;

/** Reads the `n`th item of the operand size from the top of the stack. */
function stackItem(h: HelperContext, n: number): bigint {
  const bytes = h.size / 8;
  const offset = (h.register(4) + BigInt(n * bytes)) & h.get64('stackMask');
  h.cpu.access.stack = true;
  const item = h.loadLinear(h.size, h.stackAddress(offset, bytes, false));
  h.cpu.access.stack = false;
  return item;
}

/** A selector is 16 bits, whatever the size of its slot. */
function stackSelector(h: HelperContext, n: number): number {
  const offset = (h.register(4) + BigInt((n * h.size) / 8)) & h.get64('stackMask');
  h.cpu.access.stack = true;
  const selector = Number(h.loadLinear(16, h.stackAddress(offset, 2, false)));
  h.cpu.access.stack = false;
  return selector;
}

/** Pops `bytes` after a return to `selector`: with the width that the stack has there. */
function release(h: HelperContext, bytes: number, selector: number): void {
  const sp = h.register(4);
  if (findDescriptor(h.cpu, selector)!.attributes & Attribute.Long) {
    h.setRegister(4, 64, sp + BigInt(bytes));
    return;
  }
  const mask = h.cpu.segments.attributes(Segment.SS) & Attribute.Big ? 0xffffffffn : 0xffffn;
  h.setRegister(4, 64, (sp & 0xffffffffn & ~mask) | ((sp + BigInt(bytes)) & mask));
}

/** RETF stays at CPL 3; a lower RPL in the selector is #GP. */
export const farReturn = helper((h) => {
  const selector = stackSelector(h, 1);
  const rip = stackItem(h, 0);
  if ((selector & 3) !== 3) h.raise(Vector.GP, selector & 0xfffc);
  checkTarget(h, selector, rip);
  const extra = h.variant.forms.length === 0 ? 0 : h.imm & 0xffff;
  release(h, (2 * h.size) / 8 + extra, selector);
  transfer(h, selector, rip);
});

const IRET_BITS = 0x3f7fd5;
/** At CPL 3 with IOPL 0. */
const IRET_KEPT = Flag.IF | Flag.IOPL | Flag.VIF | Flag.VIP | Flag.VM;

/** IRET in 64-bit mode pops SS:RSP as well; in compatibility mode only when the privilege level changes, which it cannot. */
export const iret = helper((h) => {
  if (h.rflags & Flag.NT) h.raise(Vector.GP);
  // Processors read the flags first, and RIP last.
  const image = Number(stackItem(h, 2) & 0xffffffffn);
  const selector = Number(stackItem(h, 1) & 0xffffn);
  const rip = stackItem(h, 0);
  if ((selector & 3) !== 3) h.raise(Vector.GP, selector & 0xfffc);
  refuse(h, checkCode(h.cpu, selector));
  const sp = h.long ? stackItem(h, 3) : 0n;
  const ss = h.long ? Number(stackItem(h, 4) & 0xffffn) : 0;
  if (h.long) refuse(h, checkStackSelector(h.cpu, ss));
  checkOffset(h, selector, rip);
  if (h.long) {
    loadSegmentRegister(h.cpu, Segment.SS, ss);
    const popped = h.size === 64 ? sp : sp & (h.size === 32 ? 0xffffffffn : 0xffffn);
    const toLong = (findDescriptor(h.cpu, selector)!.attributes & Attribute.Long) !== 0;
    const small = !toLong && (h.cpu.segments.attributes(Segment.SS) & Attribute.Big) === 0;
    // A 16-bit stack takes SP only: the rest of ESP stays.
    h.setRegister(4, 64, small ? (h.register(4) & 0xffff0000n) | (popped & 0xffffn) : popped);
  } else release(h, (3 * h.size) / 8, selector);
  const old = h.rflags;
  const changes = (h.size === 16 ? IRET_BITS & 0xffff : IRET_BITS) & ~IRET_KEPT;
  h.rflags = (old & ~changes) | (image & changes);
  transfer(h, selector, rip);
});

/** LDS LES LFS LGS LSS. */
export const loadFarPointer = (s: number) =>
  helper((h) => {
    const { size } = h;
    const offset = h.load(size, h.address(1));
    const selector = Number(h.load(16, h.addressAt(1, size / 8)));
    refuse(h, loadSegmentRegister(h.cpu, s, selector));
    h.write(0, offset);
    h.leave();
  });

/** MOV Sreg, r/m16. CS cannot be loaded so. */
export const moveToSegment = helper((h) => {
  const s = h.slot(0);
  if (s === Segment.CS || s > Segment.GS) h.raise(Vector.UD);
  refuse(h, loadSegmentRegister(h.cpu, s, Number(h.read(1) & 0xffffn)));
  if (s === Segment.SS) h.cpu.stackSegmentLoaded = true;
  h.leave();
});

/** To memory 16 bits, to a register zero-extended to the operand size. */
export const moveFromSegment = helper((h) => {
  const s = h.slot(1);
  if (s > Segment.GS) h.raise(Vector.UD);
  const selector = BigInt(h.cpu.segments.selector(s));
  if (h.isMemory(0)) h.store(16, h.address(0), selector);
  else h.write(0, selector);
});

export const pushSegment = (s: number) =>
  helper((h) => {
    const bytes = h.size / 8;
    const sp = h.register(4);
    const top = (sp - BigInt(bytes)) & h.get64('stackMask');
    // With 32 bits, processors of today store 16 and leave the other half of the slot alone.
    const stored = h.size === 64 ? 64 : 16;
    h.cpu.access.stack = true;
    h.storeLinear(stored, h.stackAddress(top, stored / 8, true), BigInt(h.cpu.segments.selector(s)));
    h.setRegister(4, 64, (sp & h.get64('stackKeep')) | top);
  });

export const popSegment = (s: number) =>
  helper((h) => {
    const selector = stackSelector(h, 0);
    const before = h.register(4);
    const released = h.get64('stackMask');
    const keep = h.get64('stackKeep');
    refuse(h, loadSegmentRegister(h.cpu, s, selector));
    h.setRegister(4, 64, (before & keep) | ((before + BigInt(h.size / 8)) & released));
    if (s === Segment.SS) h.cpu.stackSegmentLoaded = true;
    h.leave();
  });

/** LAR and LSL: ZF says whether the selector may be looked at. System types that are visible: LDT and TSS, gates for LAR. */
function visible(h: HelperContext, selector: number, gates: boolean): ReturnType<typeof findDescriptor> {
  if ((selector & 0xfffc) === 0) return undefined;
  const d = findDescriptor(h.cpu, selector);
  if (!d) return undefined;
  const a = d.attributes;
  if (a & Attribute.NonSystem) {
    const conforming = (a & Attribute.Code) !== 0 && (a & Attribute.Conforming) !== 0;
    return conforming || descriptorDpl(a) >= 3 ? d : undefined;
  }
  const type = a & Attribute.Type;
  const known = type === 2 || type === 9 || type === 11 || (gates && type === 12);
  return known && descriptorDpl(a) >= 3 ? d : undefined;
}

function setZero(h: HelperContext, on: boolean): void {
  h.rflags = on ? h.rflags | Flag.ZF : h.rflags & ~Flag.ZF;
}

export const lar = helper((h) => {
  const selector = Number(h.read(1) & 0xffffn);
  const d = visible(h, selector, true);
  setZero(h, d !== undefined);
  if (!d) return;
  const table = selector & 4 ? h.cpu.ldt : h.cpu.gdt;
  h.write(0, (table[selector >> 3]! >> 32n) & 0xffff00n);
});

export const lsl = helper((h) => {
  const d = visible(h, Number(h.read(1) & 0xffffn), false);
  setZero(h, d !== undefined);
  if (d) h.write(0, BigInt(d.limit));
});

export const verify = (write: boolean) =>
  helper((h) => {
    const d = visible(h, Number(h.read(0) & 0xffffn), false);
    const a = d?.attributes ?? 0;
    const ordinary = (a & Attribute.NonSystem) !== 0;
    const code = (a & Attribute.Code) !== 0;
    const bit = (a & Attribute.Writable) !== 0;
    setZero(h, ordinary && (write ? !code && bit : !code || bit));
  });

/** ARPL: raises the RPL of the destination to that of the source. */
export const arpl = helper((h) => {
  const dest = Number(h.read(0));
  const source = Number(h.read(1));
  const raise = (dest & 3) < (source & 3);
  if (raise) h.write(0, BigInt((dest & ~3) | (source & 3)));
  setZero(h, raise);
});
