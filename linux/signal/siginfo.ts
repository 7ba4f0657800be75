/** siginfo_t in its user layouts: copy_siginfo_to_user() of kernel/signal.c and of arch/x86/kernel/signal_compat.c. */
import { SIGINFO_SIZE, type SigInfo } from '../abi/signal.ts';

/** The 64-bit layout: the union starts at 16. */
export function siginfoTo64(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_SIZE);
  if (info.raw && info.code < 0) {
    bytes.set(info.raw);
    return bytes;
  }
  const v = new DataView(bytes.buffer);
  head(v, info);
  switch (info.layout) {
    case 'kill':
      v.setInt32(16, info.pid ?? 0, true);
      v.setUint32(20, info.uid ?? 0, true);
      break;
    case 'rt':
      v.setInt32(16, info.pid ?? 0, true);
      v.setUint32(20, info.uid ?? 0, true);
      v.setBigUint64(24, info.value ?? 0n, true);
      break;
    case 'timer':
      v.setInt32(16, info.tid ?? 0, true);
      v.setInt32(20, info.overrun ?? 0, true);
      v.setBigUint64(24, info.value ?? 0n, true);
      break;
    case 'chld':
      v.setInt32(16, info.pid ?? 0, true);
      v.setUint32(20, info.uid ?? 0, true);
      v.setInt32(24, info.status ?? 0, true);
      v.setBigInt64(32, BigInt(info.utime ?? 0), true);
      v.setBigInt64(40, BigInt(info.stime ?? 0), true);
      break;
    case 'fault':
      v.setBigUint64(16, BigInt.asUintN(64, info.addr ?? 0n), true);
      if (info.addrLsb !== undefined) v.setInt16(24, info.addrLsb, true);
      break;
    case 'poll':
      v.setBigInt64(16, BigInt(info.band ?? 0), true);
      v.setInt32(24, info.fd ?? 0, true);
      break;
    case 'sys':
      v.setBigUint64(16, info.callAddr ?? 0n, true);
      v.setInt32(24, info.syscall ?? 0, true);
      v.setUint32(28, info.arch ?? 0, true);
      break;
  }
  return bytes;
}

/** copy_siginfo_to_user32(): the union starts at 12; x32 differs in the times of SIGCHLD only. */
export function siginfoTo32(info: SigInfo, x32 = false): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_SIZE);
  const v = new DataView(bytes.buffer);
  head(v, info);
  const word = (at: number, value: bigint | number): void =>
    v.setUint32(at, Number(BigInt.asUintN(32, BigInt(value))), true);
  if (info.raw && info.code < 0) {
    const from = new DataView(info.raw.buffer, info.raw.byteOffset);
    word(12, from.getUint32(16, true));
    word(16, from.getUint32(20, true));
    word(20, from.getUint32(24, true));
    return bytes;
  }
  switch (info.layout) {
    case 'kill':
      word(12, info.pid ?? 0);
      word(16, info.uid ?? 0);
      break;
    case 'rt':
      word(12, info.pid ?? 0);
      word(16, info.uid ?? 0);
      word(20, info.value ?? 0n);
      break;
    case 'timer':
      word(12, info.tid ?? 0);
      word(16, info.overrun ?? 0);
      word(20, info.value ?? 0n);
      break;
    case 'chld':
      word(12, info.pid ?? 0);
      word(16, info.uid ?? 0);
      word(20, info.status ?? 0);
      if (x32) {
        v.setBigInt64(24, BigInt(info.utime ?? 0), true);
        v.setBigInt64(32, BigInt(info.stime ?? 0), true);
      } else {
        word(24, info.utime ?? 0);
        word(28, info.stime ?? 0);
      }
      break;
    case 'fault':
      word(12, info.addr ?? 0n);
      if (info.addrLsb !== undefined) v.setInt16(16, info.addrLsb, true);
      break;
    case 'poll':
      word(12, info.band ?? 0);
      word(16, info.fd ?? 0);
      break;
    case 'sys':
      word(12, info.callAddr ?? 0n);
      word(16, info.syscall ?? 0);
      word(20, info.arch ?? 0);
      break;
  }
  return bytes;
}

function head(v: DataView, info: SigInfo): void {
  v.setInt32(0, info.signo, true);
  v.setInt32(4, info.errno, true);
  // (short)from->si_code; negative codes are copied as they are.
  v.setInt32(8, info.code < 0 ? info.code : (info.code << 16) >> 16, true);
}

/** From rt_sigqueueinfo(2), 64-bit layout. */
export function siginfoFrom64(bytes: Uint8Array): SigInfo {
  const v = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    signo: v.getInt32(0, true),
    errno: v.getInt32(4, true),
    code: v.getInt32(8, true),
    layout: 'rt',
    pid: v.getInt32(16, true),
    uid: v.getUint32(20, true),
    value: v.getBigUint64(24, true),
    raw: bytes.slice(0, SIGINFO_SIZE),
  };
}

/** copy_siginfo_from_user32(): only pid, uid and the pointer are read. */
export function siginfoFrom32(bytes: Uint8Array): SigInfo {
  const v = new DataView(bytes.buffer, bytes.byteOffset);
  const info: SigInfo = {
    signo: v.getInt32(0, true),
    errno: v.getInt32(4, true),
    code: v.getInt32(8, true),
    layout: 'rt',
    pid: v.getInt32(12, true),
    uid: v.getUint32(16, true),
    value: BigInt(v.getUint32(20, true)),
  };
  info.raw = siginfoTo64(info);
  return info;
}

/** __SI_KILL ... __SI_SYS, include/uapi/asm-generic/siginfo.h: the upper half of si_code in the kernel of v4.7. */
const LAYOUT_CODES: Readonly<Record<SigInfo['layout'], number>> = {
  kill: 0,
  timer: 1,
  poll: 2,
  fault: 3,
  chld: 4,
  rt: 5,
  sys: 7,
};

/** si_code as the kernel has it, which only PTRACE_PEEKSIGINFO shows. */
export function internalCode(info: SigInfo): number {
  if (info.code < 0 && info.layout !== 'timer') return info.code;
  return (LAYOUT_CODES[info.layout] << 16) | (info.code & 0xffff);
}

const layoutOf = (code: number): SigInfo['layout'] =>
  (Object.keys(LAYOUT_CODES) as SigInfo['layout'][]).find((layout) => LAYOUT_CODES[layout] === code >> 16) ?? 'kill';

/**
 * PTRACE_SETSIGINFO: the kernel takes all 128 bytes as they are. Without the upper half of si_code, which
 * PTRACE_GETSIGINFO does not give, only the first two words of the union count.
 */
export function siginfoFromUser64(bytes: Uint8Array): SigInfo {
  const v = new DataView(bytes.buffer, bytes.byteOffset);
  const code = v.getInt32(8, true);
  const info: SigInfo = {
    signo: v.getInt32(0, true),
    errno: v.getInt32(4, true),
    code: code < 0 ? code : code & 0xffff,
    layout: layoutOf(code),
    pid: v.getInt32(16, true),
    uid: v.getUint32(20, true),
    value: v.getBigUint64(24, true),
    addr: v.getBigUint64(16, true),
    status: v.getInt32(24, true),
    raw: bytes.slice(0, SIGINFO_SIZE),
  };
  return info;
}

/** PTRACE_SETSIGINFO of 32-bit tracers: copy_siginfo_from_user32(). */
export const siginfoFromUser32 = (bytes: Uint8Array): SigInfo => siginfoFromUser64(siginfoTo64(siginfoFrom32(bytes)));
