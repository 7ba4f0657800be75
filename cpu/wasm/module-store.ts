/**
 * Modules that the interpreter need not make: the main function, the runtime functions and the handlers that many programs
 * need. `npm run build` keeps them in a file beside the compiled code; from sources they are made, and come out the same.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';

/** Where the build puts the file, from the place of this one. */
export const STORE_FILE = 'modules.bin';

export interface StoredModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The runtime functions that it imports. */
  readonly runtime: readonly string[];
  /** The handlers that it exports, by the names that the interpreter gives them. */
  readonly handlers: readonly string[];
}

type Name = 'main' | 'functions' | 'runtime';

export class ModuleStore {
  private readonly modules: Map<Name, StoredModule>;
  /** Templates of instructions (decode/known-code.ts). */
  templates: Uint8Array | undefined;

  constructor(modules = new Map<Name, StoredModule>(), templates?: Uint8Array) {
    this.modules = modules;
    this.templates = templates;
  }

  /** With what the build has kept, if this is a build. */
  static shipped(): ModuleStore {
    const file = fileURLToPath(new URL(STORE_FILE, import.meta.url));
    return existsSync(file) ? ModuleStore.from(readFileSync(file)) : new ModuleStore();
  }

  static from(file: Uint8Array): ModuleStore {
    const [modules, templates] = deserialize(file) as [Map<Name, StoredModule>, Uint8Array | undefined];
    return new ModuleStore(modules, templates);
  }

  get(name: Name): StoredModule | undefined {
    return this.modules.get(name);
  }

  add(name: Name, module: StoredModule): StoredModule {
    this.modules.set(name, module);
    return module;
  }

  /** The contents of the file. */
  serialize(): Uint8Array {
    return serialize([this.modules, this.templates]);
  }
}
