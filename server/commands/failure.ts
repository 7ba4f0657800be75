/** A reason to end with one line on stderr. */

import * as errno from '../../linux/abi/errno.ts';

/** 1: bad input of any kind; 2: wrong usage. */
export class Failure extends Error {
  readonly status: 1 | 2;

  constructor(status: 1 | 2, message: string) {
    super(message);
    this.status = status;
  }
}

/** What the user reads of an error of the host. */
export function hostError(error: unknown, what: string): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  const text: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    ENOTDIR: 'not a directory',
    EISDIR: 'is a directory',
  };
  return new Failure(1, `${what}: ${(code && text[code]) ?? message}`);
}

/** `ENOENT` for 2. */
export function errnoName(value: number): string {
  const entry = Object.entries(errno).find(([name, number]) => number === value && name.startsWith('E'));
  return entry?.[0] ?? `error ${value}`;
}
