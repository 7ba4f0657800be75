import type { File } from '../fs/file.ts';
import { fput } from '../fs/file.ts';
import type { MappedFile } from './vma.ts';

/** get_file(): a mapping holds its file. */
export function get_file(file: MappedFile): void {
  file.count++;
}

/** fput(): the last user, descriptor or mapping, releases the open file. */
export function put_file(file: MappedFile): void {
  fput(file as unknown as File);
}
