import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PhysicalMemory } from '../../../cpu/physical-memory.ts';
import { EEXIST, EIO, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY } from '../../../linux/abi/errno.ts';
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from '../../../linux/abi/fcntl.ts';
import { S_IFDIR } from '../../../linux/abi/stat.ts';
import { do_linkat, do_mkdirat, do_renameat2, do_rmdir, do_symlinkat, do_unlinkat } from '../../../linux/fs/dir-ops.ts';
import { type File, fput, get_file } from '../../../linux/fs/file.ts';
import { closeFile, FilesStruct } from '../../../linux/fs/files-struct.ts';
import type { DirEntry } from '../../../linux/fs/inode.ts';
import { create_pipe_files } from '../../../linux/fs/pipe.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';

const memory = new PhysicalMemory(64 << 20);
const text = (bytes: Uint8Array | number): string => {
  expect(bytes).to.be.instanceOf(Uint8Array);
  return Buffer.from(bytes as Uint8Array).toString();
};
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);

describe('Vfs', () => {
  let dir: string;
  let vfs: Vfs;

  const open = (path: string, flags = O_RDONLY, mode = 0o644): File => {
    const file = vfs.openAs(undefined, path, flags, mode);
    expect(file, path).not.to.be.a('number');
    return file as File;
  };
  const read = (path: string): string => {
    const file = open(path);
    const out = text(file.inode.read(file, 0, 1 << 20));
    fput(file);
    return out;
  };
  const write = (path: string, content: string, flags = O_WRONLY | O_CREAT | O_TRUNC): void => {
    const file = open(path, flags);
    expect(file.inode.write(file, 0, bytes(content))).to.equal(content.length);
    closeFile(file);
  };
  const ctx = () => vfs.rootContext();
  const boot = (upper?: string): Vfs => {
    vfs = new Vfs({ cpu: { memory }, root: join(dir, 'root'), upper });
    return vfs;
  };

  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'compat-vfs-'));
    for (const sub of ['root/etc', 'root/bin', 'root/d/e', 'upper']) fs.mkdirSync(join(dir, sub), { recursive: true });
    fs.writeFileSync(join(dir, 'secret'), 'outside');
    fs.writeFileSync(join(dir, 'root/etc/hosts'), 'lower hosts\n');
    fs.writeFileSync(join(dir, 'root/d/e/f'), 'deep');
    boot();
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  describe('stays inside of the root', () => {
    it('when .. climbs', () => {
      expect(vfs.openAs(undefined, '/../../../secret', O_RDONLY)).to.equal(-ENOENT);
      expect(vfs.openAs(undefined, '/d/../../secret', O_RDONLY)).to.equal(-ENOENT);
      expect(read('/d/../../etc/hosts')).to.equal('lower hosts\n');
    });
    it('when a symbolic link is absolute: it leads into the root', () => {
      fs.symlinkSync('/etc/hosts', join(dir, 'root/abs'));
      fs.symlinkSync(join(dir, 'secret'), join(dir, 'root/evil'));
      boot();
      expect(read('/abs')).to.equal('lower hosts\n');
      expect(vfs.openAs(undefined, '/evil', O_RDONLY)).to.equal(-ENOENT);
    });
    it('when a symbolic link climbs', () => {
      fs.symlinkSync('../../../../secret', join(dir, 'root/d/up'));
      fs.symlinkSync('..', join(dir, 'root/parent'));
      boot();
      expect(vfs.openAs(undefined, '/d/up', O_RDONLY)).to.equal(-ENOENT);
      expect(vfs.openAs(undefined, '/parent/secret', O_RDONLY)).to.equal(-ENOENT);
    });
    it('when a symbolic link to the host directory is followed on the way', () => {
      fs.symlinkSync(dir, join(dir, 'root/way'));
      boot();
      expect(vfs.openAs(undefined, '/way/secret', O_RDONLY)).to.equal(-ENOENT);
    });
    it('when the path goes through /proc/self/root or /proc/1/root', () => {
      expect(vfs.openAs(undefined, '/proc/self/root/etc/hosts', O_RDONLY)).to.equal(-ENOENT);
      expect(vfs.openAs(undefined, `/proc/1/root${dir}/secret`, O_RDONLY)).to.equal(-ENOENT);
    });
    it('when a lower file turns into a symbolic link after it was looked up', () => {
      const victim = join(dir, 'root/victim');
      fs.writeFileSync(victim, 'harmless');
      boot();
      const file = open('/victim');
      fs.rmSync(victim);
      fs.symlinkSync(join(dir, 'secret'), victim);
      expect(file.inode.read(file, 0, 8)).to.equal(-EIO);
    });
    it('and never writes to the lower directory', () => {
      write('/etc/hosts', 'changed');
      write('/new', 'new');
      do_unlinkat(ctx(), vfs.root, '/d/e/f');
      vfs.sync();
      expect(fs.readFileSync(join(dir, 'root/etc/hosts'), 'utf8')).to.equal('lower hosts\n');
      expect(fs.existsSync(join(dir, 'root/new'))).to.equal(false);
      expect(fs.readFileSync(join(dir, 'root/d/e/f'), 'utf8')).to.equal('deep');
    });
  });

  describe('path lookup', () => {
    it('gives ELOOP after 40 links, and for a link with O_NOFOLLOW', () => {
      fs.symlinkSync('loop', join(dir, 'root/loop'));
      fs.symlinkSync('etc/hosts', join(dir, 'root/link'));
      boot();
      expect(vfs.openAs(undefined, '/loop', O_RDONLY)).to.equal(-ELOOP);
      expect(vfs.openAs(undefined, '/link', O_RDONLY | O_NOFOLLOW)).to.equal(-ELOOP);
      expect(read('/link')).to.equal('lower hosts\n');
    });
    it('demands a directory before a slash', () => {
      expect(vfs.openAs(undefined, '/etc/hosts/', O_RDONLY)).to.equal(-ENOTDIR);
      expect(vfs.openAs(undefined, '/etc/hosts/x', O_RDONLY)).to.equal(-ENOTDIR);
      expect(vfs.openAs(undefined, '/etc/', O_RDONLY)).not.to.be.a('number');
      expect(vfs.openAs(undefined, '/etc/none/', O_CREAT | O_WRONLY)).to.equal(-EISDIR);
      expect(vfs.openAs(undefined, '/etc', O_WRONLY)).to.equal(-EISDIR);
      expect(vfs.openAs(undefined, '', O_RDONLY)).to.equal(-ENOENT);
    });
    it('creates through a link, but not with O_EXCL', () => {
      fs.symlinkSync('/etc/made', join(dir, 'root/link'));
      boot();
      expect(vfs.openAs(undefined, '/link', O_CREAT | O_EXCL | O_WRONLY)).to.equal(-EEXIST);
      write('/link', 'x');
      expect(read('/etc/made')).to.equal('x');
    });
  });

  describe('directories', () => {
    const names = (path: string): string[] => {
      const file = open(path);
      return (file.inode.readdir() as DirEntry[]).map((e) => e.name);
    };
    it('are sorted and merge both layers', () => {
      write('/etc/b', '');
      write('/etc/a', '');
      expect(names('/etc')).to.deep.equal(['a', 'b', 'hosts']);
      expect(names('/')).to.deep.equal(['bin', 'd', 'etc']);
    });
    it('have mkdir, rmdir, rename, link, symlink, unlink with the errors of Linux', () => {
      expect(do_mkdirat(ctx(), vfs.root, '/m', 0o755)).to.equal(0);
      expect(do_mkdirat(ctx(), vfs.root, '/m/', 0o755)).to.equal(-EEXIST);
      expect(vfs.stat(ctx(), '/m')).to.include({ mode: S_IFDIR | 0o755, nlink: 2 });
      expect(do_rmdir(ctx(), vfs.root, '/d')).to.equal(-ENOTEMPTY);
      expect(do_unlinkat(ctx(), vfs.root, '/d')).to.equal(-EISDIR);
      expect(do_renameat2(ctx(), vfs.root, '/d/e', vfs.root, '/m/e', 0)).to.equal(0);
      expect(read('/m/e/f')).to.equal('deep');
      expect(do_rmdir(ctx(), vfs.root, '/d')).to.equal(0);
      expect(vfs.lookup(ctx(), '/d')).to.equal(-ENOENT);
      expect(do_linkat(ctx(), open('/m/e/f').dentry, vfs.root, '/hard')).to.equal(0);
      expect(vfs.stat(ctx(), '/hard')).to.include({ nlink: 2 });
      expect(do_symlinkat(ctx(), vfs.root, '/soft', 'hard')).to.equal(0);
      expect(do_unlinkat(ctx(), vfs.root, '/m/e/f')).to.equal(0);
      expect(read('/soft')).to.equal('deep');
      expect(do_renameat2(ctx(), vfs.root, '/m', vfs.root, '/m/x', 0)).to.equal(-22);
    });
    it('keep an unlinked file alive while it is open', () => {
      const file = open('/etc/hosts', O_RDWR);
      do_unlinkat(ctx(), vfs.root, '/etc/hosts');
      expect(file.path).to.equal('/etc/hosts (deleted)');
      expect(text(file.inode.read(file, 6, 5))).to.equal('hosts');
      fput(file);
    });
  });

  describe('regular files', () => {
    it('share one content between read, write and mapped frames', () => {
      const file = open('/etc/hosts', O_RDWR);
      const frame = file.inode.pageFrame(0);
      expect(Buffer.from(memory.frame(frame).subarray(0, 5)).toString()).to.equal('lower');
      file.inode.write(file, 0, bytes('UPPER'));
      expect(Buffer.from(memory.frame(frame).subarray(0, 5)).toString()).to.equal('UPPER');
      memory.frame(frame).set(bytes('frame'), 0);
      expect(read('/etc/hosts')).to.equal('frame hosts\n');
      expect(file.inode.pageFrame(1)).to.be.lessThan(0);
    });
    it('read zeros where they were cut off and grew again', () => {
      const file = open('/etc/hosts', O_RDWR);
      file.inode.truncate(5);
      file.inode.truncate(8);
      expect(read('/etc/hosts')).to.equal('lower\0\0\0');
      file.inode.write(file, 5000, bytes('x'));
      expect(read('/etc/hosts').length).to.equal(5001);
    });
    it('give their frames back when they are deleted', () => {
      const before = memory.framesInUse;
      write('/big', 'x'.repeat(100_000));
      expect(memory.framesInUse).to.be.greaterThan(before);
      do_unlinkat(ctx(), vfs.root, '/big');
      expect(memory.framesInUse).to.equal(before);
    });
  });

  describe('--upper', () => {
    const upper = (path: string): string => join(dir, 'upper', path);
    it('holds the whole new content when a file is closed', () => {
      boot(join(dir, 'upper'));
      const file = open('/d/e/f', O_WRONLY);
      file.inode.write(file, 4, bytes('er'));
      closeFile(file);
      expect(fs.readFileSync(upper('d/e/f'), 'utf8')).to.equal('deeper');
      write('/d/e/f', 'x', O_WRONLY);
      expect(fs.readFileSync(upper('d/e/f'), 'utf8')).to.equal('xeeper');
      write('/d/e/f', 'short');
      expect(fs.readFileSync(upper('d/e/f'), 'utf8')).to.equal('short');
    });
    it('remembers deletions, new directories and links for the next machine', () => {
      boot(join(dir, 'upper'));
      do_unlinkat(ctx(), vfs.root, '/etc/hosts');
      do_mkdirat(ctx(), vfs.root, '/m', 0o700);
      do_symlinkat(ctx(), vfs.root, '/m/s', '../d/e/f');
      do_renameat2(ctx(), vfs.root, '/d', vfs.root, '/m/d', 0);
      do_mkdirat(ctx(), vfs.root, '/d', 0o755);
      vfs.sync();
      boot(join(dir, 'upper'));
      expect(vfs.lookup(ctx(), '/etc/hosts')).to.equal(-ENOENT);
      expect(vfs.stat(ctx(), '/m')).to.include({ mode: S_IFDIR | 0o700 });
      expect(read('/m/d/e/f')).to.equal('deep');
      expect(vfs.lookup(ctx(), '/d/e')).to.equal(-ENOENT);
      expect(vfs.lookup(ctx(), '/m/s')).to.equal(-ENOENT);
      write('/etc/hosts', 'again');
      vfs.sync();
      boot(join(dir, 'upper'));
      expect(read('/etc/hosts')).to.equal('again');
    });
    it('gets everything but what the host has no path for, and says so in a short line', () => {
      boot(join(dir, 'upper'));
      let at = vfs.root;
      for (let depth = 0; depth < 30; depth++) {
        const name = 'n'.repeat(200);
        expect(do_mkdirat(ctx(), at, name, 0o755)).to.equal(0);
        at = vfs.lookup({ ...ctx(), cwd: at }, name) as typeof at;
      }
      do_mkdirat(ctx(), vfs.root, '/zlast', 0o711);
      do_unlinkat(ctx(), vfs.root, '/etc/hosts');
      expect(() => vfs.sync())
        .to.throw(/^--upper .{10,300}: ENAMETOOLONG$/)
        .that.satisfies((error: Error) => error.message.length < 400);
      expect(fs.statSync(upper('zlast')).mode & 0o777).to.equal(0o711);
      boot(join(dir, 'upper'));
      expect(vfs.lookup(ctx(), '/etc/hosts')).to.equal(-ENOENT);
      fs.rmSync(upper('n'.repeat(200)), { recursive: true });
    });
    it('makes the directories on the way to a new one', () => {
      boot(join(dir, 'upper'));
      do_mkdirat(ctx(), vfs.root, '/d/e/new', 0o711);
      do_symlinkat(ctx(), vfs.root, '/etc/link', 'hosts');
      vfs.sync();
      expect(fs.statSync(upper('d/e/new')).mode & 0o777).to.equal(0o711);
      expect(fs.readlinkSync(upper('etc/link'))).to.equal('hosts');
      boot(join(dir, 'upper'));
      do_rmdir(ctx(), vfs.root, '/d/e/new');
      do_unlinkat(ctx(), vfs.root, '/etc/link');
      vfs.sync();
      expect(fs.readdirSync(upper('d/e'))).to.deep.equal([]);
      expect(fs.readdirSync(upper('etc'))).to.deep.equal([]);
    });
    it('keeps what somebody else puts there while the machine runs', () => {
      fs.mkdirSync(upper('old'));
      fs.writeFileSync(upper('old/ours'), '');
      boot(join(dir, 'upper'));
      write('/d/e/new', 'x');
      vfs.sync();
      for (const name of ['foreign', 'd/foreign', 'd/e/.wh.foreign', 'old/foreign'])
        fs.writeFileSync(upper(name), name);
      fs.mkdirSync(upper('d/e/dir'));
      fs.writeFileSync(upper('d/e/dir/foreign'), 'too');
      do_unlinkat(ctx(), vfs.root, '/d/e/new');
      do_unlinkat(ctx(), vfs.root, '/d/e/f');
      do_unlinkat(ctx(), vfs.root, '/old/ours');
      do_rmdir(ctx(), vfs.root, '/old');
      vfs.sync();
      vfs.sync();
      expect(fs.readdirSync(upper(''))).to.have.members(['d', 'foreign', 'old']);
      expect(fs.readdirSync(upper('old'))).to.deep.equal(['foreign']);
      expect(fs.readdirSync(upper('d'))).to.have.members(['e', 'foreign']);
      expect(fs.readdirSync(upper('d/e'))).to.have.members(['.wh.foreign', '.wh.f', 'dir']);
      expect(fs.readdirSync(upper('d/e/dir'))).to.deep.equal(['foreign']);
    });
    it('is not left through symbolic links that lie in it', () => {
      fs.symlinkSync(dir, upper('out'));
      boot(join(dir, 'upper'));
      expect(vfs.openAs(undefined, '/out/secret', O_RDWR)).to.equal(-ENOENT);
      do_unlinkat(ctx(), vfs.root, '/out');
      do_mkdirat(ctx(), vfs.root, '/out', 0o755);
      write('/out/secret', 'mine');
      expect(fs.readFileSync(join(dir, 'secret'), 'utf8')).to.equal('outside');
      expect(fs.readFileSync(upper('out/secret'), 'utf8')).to.equal('mine');
    });
  });

  describe('devices and procfs', () => {
    it('read as on Linux', () => {
      const zero = open('/dev/zero');
      expect(zero.inode.read(zero, 0, 3)).to.deep.equal(new Uint8Array(3));
      const none = open('/dev/null', O_RDWR);
      expect(none.inode.write(none, 0, bytes('x'))).to.equal(1);
      expect(text(none.inode.read(none, 0, 3))).to.equal('');
      expect(read('/proc/sys/kernel/osrelease')).to.match(/^4\.7/);
      expect(vfs.lookup(ctx(), '/proc/77')).to.equal(-ENOENT);
    });
    it('give the same random bytes for the same seed', () => {
      const take = (): Uint8Array => {
        const file = boot().openAs(undefined, '/dev/urandom', O_RDONLY) as File;
        return file.inode.read(file, 0, 16) as Uint8Array;
      };
      expect(take()).to.deep.equal(take());
    });
  });
});

describe('FilesStruct', () => {
  const vfs = new Vfs({ cpu: { memory } });
  const ends = (): [File, File] => create_pipe_files(vfs.pipefs, 0);

  it('gives the lowest free descriptor', () => {
    const files = new FilesStruct();
    const [r, w] = ends();
    expect(files.install(r)).to.equal(0);
    expect(files.install(w)).to.equal(1);
    files.close(0);
    expect(files.install(get_file(w), { from: 0 })).to.equal(0);
    expect(files.install(get_file(w), { from: 7, limit: 8 })).to.equal(7);
    expect(files.install(get_file(w), { from: 7, limit: 8 })).to.equal(-24);
  });
  it('keeps a pipe open until the last copy is closed', () => {
    const [r, w] = ends();
    const files = new FilesStruct();
    files.install(w);
    const child = files.clone();
    files.release();
    w.inode.write(w, 0, bytes('ab'));
    expect(text(r.inode.read(r, 0, 10))).to.equal('ab');
    expect(r.inode.read(r, 0, 10)).to.equal(-11);
    child.release();
    expect(text(r.inode.read(r, 0, 10))).to.equal('');
  });
  it('closes what exec must not inherit', () => {
    const files = new FilesStruct();
    const [r, w] = ends();
    files.install(r, { cloexec: true });
    files.install(w);
    files.closeOnExec();
    expect([...files.numbers()]).to.deep.equal([1]);
    expect(w.inode.write(w, 0, bytes('x'))).to.equal(-32);
  });
});

describe('pipes', () => {
  it('write up to PIPE_BUF at once or not at all', () => {
    const vfs = new Vfs({ cpu: { memory } });
    const [r, w] = create_pipe_files(vfs.pipefs, 0);
    expect(w.inode.write(w, 0, new Uint8Array(70_000))).to.equal(65_536);
    expect(w.inode.write(w, 0, new Uint8Array(1))).to.equal(-11);
    r.inode.read(r, 0, 100);
    expect(w.inode.write(w, 0, new Uint8Array(101))).to.equal(-11);
    expect(w.inode.write(w, 0, new Uint8Array(5000))).to.equal(100);
  });
});
