/** include/uapi/linux/elfcore.h and include/linux/elfcore-compat.h: the notes of a core file. */
import { struct } from './struct.ts';

export const ET_CORE = 4,
  PN_XNUM = 0xffff;
export const NT_PRPSINFO = 3,
  NT_AUXV = 6,
  NT_FILE = 0x4649_4c45,
  NT_SIGINFO = 0x5349_4749;
/** ELF_PRARGSZ */
export const ELF_PRARGSZ = 80;

/** struct elf_prstatus up to pr_reg; behind the registers stands pr_fpvalid. */
export const elf_prstatus = struct('elf_prstatus', [
  ['si_signo', 'i32'],
  ['si_code', 'i32'],
  ['si_errno', 'i32'],
  ['pr_cursig', 'i16'],
  ['pr_sigpend', 'u64'],
  ['pr_sighold', 'u64'],
  ['pr_pid', 'i32'],
  ['pr_ppid', 'i32'],
  ['pr_pgrp', 'i32'],
  ['pr_sid', 'i32'],
  ['pr_utime', 'i64', 2],
  ['pr_stime', 'i64', 2],
  ['pr_cutime', 'i64', 2],
  ['pr_cstime', 'i64', 2],
]);

/** struct compat_elf_prstatus, of i386 and x32. */
export const compat_elf_prstatus = struct('compat_elf_prstatus', [
  ['si_signo', 'i32'],
  ['si_code', 'i32'],
  ['si_errno', 'i32'],
  ['pr_cursig', 'i16'],
  ['pr_sigpend', 'u32'],
  ['pr_sighold', 'u32'],
  ['pr_pid', 'i32'],
  ['pr_ppid', 'i32'],
  ['pr_pgrp', 'i32'],
  ['pr_sid', 'i32'],
  ['pr_utime', 'i32', 2],
  ['pr_stime', 'i32', 2],
  ['pr_cutime', 'i32', 2],
  ['pr_cstime', 'i32', 2],
]);

/** struct elf_prpsinfo: 136 bytes. */
export const elf_prpsinfo = struct('elf_prpsinfo', [
  ['pr_state', 'u8'],
  ['pr_sname', 'u8'],
  ['pr_zomb', 'u8'],
  ['pr_nice', 'i8'],
  ['pr_flag', 'u64'],
  ['pr_uid', 'u32'],
  ['pr_gid', 'u32'],
  ['pr_pid', 'i32'],
  ['pr_ppid', 'i32'],
  ['pr_pgrp', 'i32'],
  ['pr_sid', 'i32'],
  ['pr_fname', 'u8', 16],
  ['pr_psargs', 'u8', ELF_PRARGSZ],
]);

/** struct compat_elf_prpsinfo: 124 bytes. */
export const compat_elf_prpsinfo = struct('compat_elf_prpsinfo', [
  ['pr_state', 'u8'],
  ['pr_sname', 'u8'],
  ['pr_zomb', 'u8'],
  ['pr_nice', 'i8'],
  ['pr_flag', 'u32'],
  ['pr_uid', 'u16'],
  ['pr_gid', 'u16'],
  ['pr_pid', 'i32'],
  ['pr_ppid', 'i32'],
  ['pr_pgrp', 'i32'],
  ['pr_sid', 'i32'],
  ['pr_fname', 'u8', 16],
  ['pr_psargs', 'u8', ELF_PRARGSZ],
]);

/** Elf64_Ehdr, without e_ident's spelling. */
const ehdr = <W extends 'u32' | 'u64'>(name: string, word: W) =>
  struct(name, [
    ['e_ident', 'u8', 16],
    ['e_type', 'u16'],
    ['e_machine', 'u16'],
    ['e_version', 'u32'],
    ['e_entry', word],
    ['e_phoff', word],
    ['e_shoff', word],
    ['e_flags', 'u32'],
    ['e_ehsize', 'u16'],
    ['e_phentsize', 'u16'],
    ['e_phnum', 'u16'],
    ['e_shentsize', 'u16'],
    ['e_shnum', 'u16'],
    ['e_shstrndx', 'u16'],
  ]);
export const elf64_hdr = ehdr('elf64_hdr', 'u64'),
  elf32_hdr = ehdr('elf32_hdr', 'u32');

export const elf64_phdr = struct('elf64_phdr', [
  ['p_type', 'u32'],
  ['p_flags', 'u32'],
  ['p_offset', 'u64'],
  ['p_vaddr', 'u64'],
  ['p_paddr', 'u64'],
  ['p_filesz', 'u64'],
  ['p_memsz', 'u64'],
  ['p_align', 'u64'],
]);
export const elf32_phdr = struct('elf32_phdr', [
  ['p_type', 'u32'],
  ['p_offset', 'u32'],
  ['p_vaddr', 'u32'],
  ['p_paddr', 'u32'],
  ['p_filesz', 'u32'],
  ['p_memsz', 'u32'],
  ['p_flags', 'u32'],
  ['p_align', 'u32'],
]);

/** struct elf_note */
export const elf_note = struct('elf_note', [
  ['n_namesz', 'u32'],
  ['n_descsz', 'u32'],
  ['n_type', 'u32'],
]);

/** A note with its name and padding: elf_note_info of fs/binfmt_elf.c, writenote(). */
export function noteBytes(name: string, type: number, desc: Uint8Array): Uint8Array {
  const pad = (n: number): number => Math.ceil(n / 4) * 4;
  const namesz = name.length + 1;
  const bytes = new Uint8Array(elf_note.size + pad(namesz) + pad(desc.length));
  elf_note.writeTo(bytes, { n_namesz: namesz, n_descsz: desc.length, n_type: type });
  bytes.set(Buffer.from(name, 'latin1'), elf_note.size);
  bytes.set(desc, elf_note.size + pad(namesz));
  return bytes;
}
