import { message, optional, repeated, required } from './message.ts';
import { fileFlags, hex, mmapFlags, mmapProt, mmapStatus, pagemapFlags, sealFlags } from './show.ts';

/** Memory: images/mm.proto, vma.proto, pagemap.proto, memfd.proto. */

export const vma_entry = message('vma_entry', {
  start: required(1, 'uint64', hex),
  end: required(2, 'uint64', hex),
  pgoff: required(3, 'uint64'),
  shmid: required(4, 'uint64'),
  prot: required(5, 'uint32', mmapProt),
  flags: required(6, 'uint32', mmapFlags),
  status: required(7, 'uint32', mmapStatus),
  fd: required(8, 'sint64'),
  madv: optional(9, 'uint64', hex),
  fdflags: optional(10, 'uint32', hex),
});

export const aio_ring_entry = message('aio_ring_entry', {
  id: required(1, 'uint64'),
  nr_req: required(2, 'uint32'),
  ring_len: required(3, 'uint32'),
});

export const mm_entry = message('mm_entry', {
  mm_start_code: required(1, 'uint64', hex),
  mm_end_code: required(2, 'uint64', hex),
  mm_start_data: required(3, 'uint64', hex),
  mm_end_data: required(4, 'uint64', hex),
  mm_start_stack: required(5, 'uint64', hex),
  mm_start_brk: required(6, 'uint64', hex),
  mm_brk: required(7, 'uint64', hex),
  mm_arg_start: required(8, 'uint64', hex),
  mm_arg_end: required(9, 'uint64', hex),
  mm_env_start: required(10, 'uint64', hex),
  mm_env_end: required(11, 'uint64', hex),
  exe_file_id: required(12, 'uint32'),
  mm_saved_auxv: repeated(13, 'uint64'),
  vmas: repeated(14, vma_entry),
  dumpable: optional(15, 'int32'),
  aios: repeated(16, aio_ring_entry),
  thp_disabled: optional(17, 'bool'),
});

export const pagemap_head = message('pagemap_head', {
  pages_id: required(1, 'uint32'),
});

export const pagemap_entry = message('pagemap_entry', {
  vaddr: required(1, 'uint64', hex),
  compat_nr_pages: required(2, 'uint32'),
  in_parent: optional(3, 'bool'),
  flags: optional(4, 'uint32', pagemapFlags),
  nr_pages: optional(5, 'uint64'),
});

export const fown_entry = message('fown_entry', {
  uid: required(1, 'uint32'),
  euid: required(2, 'uint32'),
  signum: required(3, 'uint32'),
  pid_type: required(4, 'uint32'),
  pid: required(5, 'uint32'),
});

export const memfd_file_entry = message('memfd_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', fileFlags),
  pos: required(3, 'uint64'),
  fown: required(4, fown_entry),
  inode_id: required(5, 'uint32'),
});

export const memfd_inode_entry = message('memfd_inode_entry', {
  name: required(1, 'string'),
  uid: required(2, 'uint32'),
  gid: required(3, 'uint32'),
  size: required(4, 'uint64'),
  shmid: required(5, 'uint32'),
  seals: required(6, 'uint32', sealFlags),
  inode_id: required(7, 'uint64'),
  hugetlb_flag: optional(8, 'uint32'),
  mode: optional(9, 'uint32'),
});
