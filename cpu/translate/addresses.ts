/**
 * Memory in a region: an address becomes one of the host by a window, the TLB, or a check that was made before; with what is
 * touched around it checked at the same time.
 */
import { type I32, type I64, i32, i64, node } from '../ir/expr.ts';
import type { Builder } from '../ir/function.ts';
import { READ_TLB, WRITE_TLB } from '../state.ts';
import { Load } from '../wasm/emit.ts';
import type { FlagKeeper } from './flag-keeper.ts';
import { local, type RegionCode } from './region-code.ts';
import type { Site } from './sites.ts';
import type { Values } from './values.ts';
import { LONG_SPAN, SHORT_SPAN } from './windows.ts';

/** A checked host address and what to add to it. */
export interface Host {
  readonly base: I32;
  readonly offset: number;
  /** The base stays what it is after the instruction. */
  readonly steady?: true;
}

/** An address: what it is made of, and the distance from it; undefined when that is not followed. */
export interface Place {
  readonly address: I64;
  readonly key: string | undefined;
  readonly delta: number;
}

/** The bytes from `low` to `high` (as distances from what `key` names) have been checked and lie at `host` on. */
export interface Fact {
  readonly key: string;
  readonly write: boolean;
  readonly low: number;
  readonly high: number;
  readonly host: number;
}

/** An access has no place in the copy of a loop that does not check. */
export class NotFast extends Error {}

export interface AddressBuilder extends Pick<Builder, 'let'> {
  /** Is what is built here run whenever the instruction is? */
  readonly unconditional: boolean;
}

/** What checks need of the region. */
export interface CheckExits {
  /** Leaves before the instruction when the condition on the stack holds. */
  exitIf(): void;
  /** The window that an access is likely to be in, or -1; for stores one that may be written. */
  windowOf(site: Site, write: boolean): number;
}

/** Host addresses in the copy of a loop that does not check. */
export interface Unchecked {
  /** How far the access has moved from where it is in the first round; undefined when it is not planned. */
  moved(site: Site): number | undefined;
  /** Where the access is, that many bytes on; undefined when its address has to be made anew. */
  host(site: Site, moved: number): Host | undefined;
}

export class Addresses {
  /** The block's accesses stay in their windows: nothing is checked. */
  unchecked: Unchecked | undefined;
  facts: Fact[] = [];
  /** Accesses of the block, by record. */
  private sites: readonly Site[] = [];
  private readonly factLocals: number[] = [];
  private readonly code: RegionCode;
  private readonly values: Values;
  private readonly flags: FlagKeeper;
  private readonly region: CheckExits;
  private readonly builder: AddressBuilder;

  constructor(code: RegionCode, values: Values, flags: FlagKeeper, region: CheckExits, builder: AddressBuilder) {
    this.code = code;
    this.values = values;
    this.flags = flags;
    this.region = region;
    this.builder = builder;
  }

  begin(sites: readonly Site[], facts: readonly Fact[]): void {
    this.sites = sites;
    this.facts = [...facts];
  }

  /** An address at the width that addresses have. */
  wrap(v: I64): I64 {
    return this.code.long ? v : i64.extend_u(i32.wrap(v));
  }

  /** A linear address as one of the host, checked; what the TLB does not have either is left to the interpreter. */
  translate(place: Place, record: number, implicit: boolean, bytes: number, write: boolean): Host {
    const { key, delta } = place;
    const known =
      !this.unchecked &&
      this.facts.find((f) => f.key === key && (f.write || !write) && f.low <= delta && delta + bytes <= f.high);
    if (known) return { base: local('i32', known.host), offset: delta - known.low };
    const site = this.sites.find((s) => s.record === record && s.implicit === implicit);
    const window = site ? this.region.windowOf(site, write) : -1;
    if (this.unchecked) {
      const moved = site && this.unchecked.moved(site);
      if (!site || window < 0 || moved === undefined || !this.isAsPlanned(place, site, moved)) throw new NotFast();
      const host = this.unchecked.host(site, moved);
      if (host) return host;
      const { addend } = this.code.window(window);
      return { base: this.builder.let(i32.add(i32.wrap(place.address), local('i32', addend))), offset: 0 };
    }
    if (!site || key === undefined || !this.builder.unconditional)
      return this.check(place.address, bytes, write, window);
    return this.checkAround(place, key, site, bytes, write, window);
  }

  /** Checks what the block touches around an address at the same time. */
  private checkAround(place: Place, key: string, site: Site, bytes: number, write: boolean, guess: number): Host {
    let [low, high, writes] = [0, bytes, write];
    const most = guess >= 0 ? LONG_SPAN : SHORT_SPAN;
    for (const s of this.sites) {
      if (s.record < site.record || s.key !== site.key) continue;
      const from = Math.min(low, s.delta - site.delta);
      const to = Math.max(high, s.delta - site.delta + s.bytes);
      if (to - from > most) continue;
      [low, high, writes] = [from, to, writes || s.write];
    }
    const window = writes ? this.region.windowOf(site, true) : guess;
    const at = low === 0 ? place.address : this.builder.let(this.wrap(i64.add(place.address, low)));
    const host = this.check(at, high - low, writes, window, true);
    const { delta } = place;
    this.facts.push({ key, write: writes, low: delta + low, high: delta + high, host: host.base.value as number });
    return { base: host.base, offset: -low };
  }

  /** Is the address made of the registers at the block's start as the plan of a loop without checks has it? */
  private isAsPlanned(place: Place, site: Site, moved: number): boolean {
    const { values } = this;
    const start = (register: number): string => (register < 0 ? '' : `${values.atStart(register).version}`);
    let index = start(site.index);
    if (site.index === -2) {
      const value = site.implicit ? undefined : values.of(site.indexRegister);
      if (value?.bound === undefined || value.bound > site.bound || value.delta !== 0) return false;
      index = `${value.version}`;
    }
    const scale = index === '' ? 0 : site.scale;
    const planned = site.delta + moved;
    const delta = this.code.long ? planned : planned | 0;
    return site.base !== -2 && place.key === `${start(site.base)}|${index}|${scale}` && place.delta === delta;
  }

  /** Checks the bytes at an address, in a window or by the TLB. `stays`: the host address is wanted after the instruction. */
  private check(address: I64, bytes: number, write: boolean, window: number, stays = false): Host {
    const { code } = this;
    this.flags.keep();
    const host = stays ? this.factLocal() : code.take('i32');
    if (window < 0) {
      this.byTlb(address, bytes, write);
      code.set(host);
      return { base: local('i32', host), offset: 0 };
    }
    const { low, length, groupLength, addend } = code.window(window);
    const room = bytes > SHORT_SPAN ? groupLength : length;
    if (code.long) code.emit(i64.ge_u(i64.sub(address, local('i64', low)), local('i64', room)));
    else code.emit(i32.ge_u(i32.sub(i32.wrap(address), local('i32', low)), local('i32', room)));
    code.w.hint(false);
    code.op(0x04, 0x7f);
    code.depth++;
    this.byTlb(address, bytes, write);
    code.depth--;
    code.op(0x05);
    code.emit(i32.add(i32.wrap(address), local('i32', addend)));
    code.op(0x0b);
    code.set(host);
    return { base: local('i32', host), offset: 0 };
  }

  /**
   * Leaves the host address on the stack, or the region. Without a call: where one is, V8 keeps every local of the loop
   * around in memory.
   */
  private byTlb(address: I64, bytes: number, write: boolean): void {
    const { code, builder, region } = this;
    const tlb = write ? WRITE_TLB : READ_TLB;
    const entry = builder.let(i32.and(i32.wrap(i64.shr_u(address, 8)), 0xfff0));
    const tag: I64 = node('i64', Load.i64, [entry], tlb);
    code.emit(i64.gt_u(i64.xor(tag, address), 4096 - bytes));
    region.exitIf();
    code.emit(i32.add(i32.wrap(address), node('i32', Load.i32, [entry], tlb + 8)));
  }

  /** A local that no fact uses now. */
  private factLocal(): number {
    for (const l of this.factLocals) if (!this.facts.some((f) => f.host === l)) return l;
    const l = this.code.reserve('i32');
    this.factLocals.push(l);
    return l;
  }
}
