import { ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from '../abi/errno.ts';
import { NAME_MAX, PATH_MAX } from '../abi/fcntl.ts';
import { encodeName } from '../abi/names.ts';
import type { Task } from '../task/task.ts';
import { Dentry } from './dentry.ts';
import { type FsCred, inode_permission, MAY_EXEC } from './inode.ts';

/** From where a path is looked up, and by whom: a task's view, or the server's without a task. */
export interface LookupContext {
  readonly root: Dentry;
  readonly cwd: Dentry;
  readonly cred?: FsCred | undefined;
  /** Whom /proc/self means. */
  readonly task?: Task | undefined;
  readonly umask?: number;
}

/** Where a path leads: `struct nameidata`. `dentry` is undefined when only the last name does not exist. */
export interface Found {
  readonly parent: Dentry;
  /** The last component; `.`, `..` and `/` when the path ends so. */
  readonly name: string;
  readonly dentry: Dentry | undefined;
  /** The path ended in a slash: it must name a directory. */
  readonly trailing: boolean;
}

export interface WalkOptions {
  /** Follow a symbolic link at the end (LOOKUP_FOLLOW); default true. */
  readonly follow?: boolean;
  /** For unlink, rename and friends: the last name itself, `trailing` slashes are the caller's business. */
  readonly parent?: boolean;
}

const MAX_LINKS = 40;
const byteLength = (name: string): number => (name.length * 3 <= NAME_MAX ? name.length : encodeName(name).length);

/** lookup_fast() and lookup_slow(): a name in a directory, mounts included. */
export function d_lookup(parent: Dentry, name: string, task: Task | undefined): Dentry | undefined | number {
  const mounted = parent.mounts.get(name);
  if (mounted !== undefined) return mounted;
  const known = parent.children.get(name);
  if (known !== undefined) return known;
  if (byteLength(name) > NAME_MAX) return -ENAMETOOLONG;
  const inode = parent.inode.lookup(name, task);
  if (inode === undefined || typeof inode === 'number') return inode;
  const dentry = new Dentry(name, parent, inode);
  if (parent.inode.sb.cacheable) parent.children.set(name, dentry);
  return dentry;
}

/** The names of a path, the last one first. */
function namesOf(path: string): string[] {
  const names: string[] = [];
  for (let end = path.length; end > 0; ) {
    const slash = path.lastIndexOf('/', end - 1);
    if (slash + 1 < end) names.push(path.slice(slash + 1, end));
    end = slash;
  }
  return names;
}

/**
 * path_lookupat(), link_path_walk(): fs/namei.c. Every component is looked at here; the host's own resolution, and so
 * its symbolic links and `..`, never take part.
 */
export function walk(ctx: LookupContext, start: Dentry, path: string, options: WalkOptions = {}): Found | number {
  if (path === '') return -ENOENT;
  if (path.length * 3 >= PATH_MAX && encodeName(path).length >= PATH_MAX) return -ENAMETOOLONG;
  const follow = options.follow ?? true;
  let current = path.startsWith('/') ? ctx.root : start;
  let trailing = path.endsWith('/');
  const rest = namesOf(path);
  let links = 0;
  let found: Found = { parent: current, name: path.startsWith('/') ? '/' : '.', dentry: current, trailing };

  while (rest.length > 0) {
    const name = rest.pop()!;
    const last = rest.length === 0;
    if (!current.inode.isDir()) return -ENOTDIR;
    const error = inode_permission(ctx.cred, current.inode, MAY_EXEC);
    if (error < 0) return error;
    if (name === '.' || name === '..') {
      const parent = current;
      if (name === '..' && current !== ctx.root) current = current.parent ?? current;
      found = { parent, name, dentry: current, trailing };
      continue;
    }
    const child = d_lookup(current, name, ctx.task);
    if (typeof child === 'number') return child;
    if (child === undefined) {
      if (!last) return -ENOENT;
      return { parent: current, name, dentry: undefined, trailing };
    }
    if (child.inode.isLink() && (!last || ((follow || trailing) && options.parent !== true))) {
      if (++links > MAX_LINKS) return -ELOOP;
      child.inode.touchAtime();
      const magic = child.inode.followLink();
      if (typeof magic === 'number') return magic;
      if (magic !== undefined) {
        found = { parent: current, name, dentry: magic, trailing };
        current = magic;
        continue;
      }
      const target = child.inode.readlink();
      if (typeof target === 'number') return target;
      if (target === '') return -ENOENT;
      if (target.startsWith('/')) current = ctx.root;
      if (last && target.endsWith('/')) trailing = true;
      rest.push(...namesOf(target));
      found = { parent: current, name: target.startsWith('/') ? '/' : '.', dentry: current, trailing };
      continue;
    }
    found = { parent: current, name, dentry: child, trailing };
    current = child;
  }
  if (trailing && options.parent !== true && found.dentry !== undefined && !found.dentry.inode.isDir()) return -ENOTDIR;
  return found;
}

/** kern_path(): an existing object. */
export function lookupPath(
  ctx: LookupContext,
  path: string,
  options: WalkOptions = {},
  start: Dentry = ctx.cwd,
): Dentry | number {
  const found = walk(ctx, start, path, options);
  if (typeof found === 'number') return found;
  return found.dentry ?? -ENOENT;
}
