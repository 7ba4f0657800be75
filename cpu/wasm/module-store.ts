/**
 * The modules that the interpreter has made, by what they mean. `npm run build` keeps those that many programs need in a
 * file beside the compiled code; from sources everything is made when it is needed, and comes out the same.
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
  /** Positions, among the handlers in the module, of those that call meanings in TypeScript. */
  readonly helped: readonly number[];
}

export class ModuleStore {
  private readonly modules: Map<string, StoredModule>;

  constructor(modules = new Map<string, StoredModule>()) {
    this.modules = modules;
  }

  /** With what the build has kept, if this is a build. */
  static shipped(): ModuleStore {
    const file = fileURLToPath(new URL(STORE_FILE, import.meta.url));
    return existsSync(file) ? ModuleStore.from(readFileSync(file)) : new ModuleStore();
  }

  static from(file: Uint8Array): ModuleStore {
    return new ModuleStore(deserialize(file) as Map<string, StoredModule>);
  }

  get(name: string): StoredModule | undefined {
    return this.modules.get(name);
  }

  add(name: string, module: StoredModule): void {
    this.modules.set(name, module);
  }

  get names(): string[] {
    return [...this.modules.keys()];
  }

  /** The contents of the file. */
  serialize(): Uint8Array {
    return serialize(this.modules);
  }
}
