/**
 * What `npm run build` makes, so that a start is quick.
 *
 * dist/server/main.js      runs the bundle
 * dist/server/bundle.js    all sources and the libraries they use; bundle.js.map
 * dist/server/bundle.code  what V8 has compiled of the bundle for an earlier run
 * dist/cpu/wasm/modules.bin what the interpreter has made for an earlier run
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { STORE_FILE } from '../../cpu/wasm/module-store.ts';
import { PROJECT, unpackBundled } from '../bundled.ts';
import { BUNDLE, CODE } from './bundle-script.ts';
import { commonModules } from './modules.ts';

const WRITER = 'write-code.js';

/** The bundle is one file; the sources that look for files beside them go on doing so. */
const ownPlaces: Plugin = {
  name: 'own-places',
  setup(builder) {
    builder.onLoad({ filter: /\/(server|cpu|linux|criu)\/.*\.ts$/ }, ({ path }) => {
      const place = JSON.stringify(relative(PROJECT, path).replace(/ts$/, 'js'));
      const text = readFileSync(path, 'utf8').replaceAll('import.meta.url', `placeOf(${place})`);
      return { contents: text, loader: 'ts' };
    });
  },
};
const PLACE_OF =
  "const placeOf = (place) => require('node:url').pathToFileURL(require('node:path').join(__dirname, '..', place)).href;";

const common = { bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'warning' } as const;

async function bundle(folder: string): Promise<void> {
  const server = join(folder, 'server');
  await build({
    ...common,
    absWorkingDir: PROJECT,
    entryPoints: { [BUNDLE.replace(/\.js$/, '')]: 'server/main.ts' },
    outdir: server,
    sourcemap: true,
    charset: 'ascii',
    legalComments: 'external',
    banner: { js: PLACE_OF },
    plugins: [ownPlaces],
  });
  await build({ ...common, entryPoints: { main: join(PROJECT, 'server/bundle/launcher.ts') }, outdir: server });
  await build({ ...common, entryPoints: [join(PROJECT, 'server/bundle/write-code.ts')], outdir: folder });
  // The sources are modules, the bundle is a script.
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
}

/** V8 keeps what it has compiled so far: the functions that a start needs. */
function writeCode(folder: string): void {
  const image = unpackBundled('counter32-static');
  const runs = [
    ['exec', '--run', '/bin/sh', '-c', 'exit'],
    // Long enough for the translator.
    ['exec', '--run', '/bin/sh', '-c', 'head -c 9000000 /dev/zero | cksum; gzip -c /bin/sh | sort'],
    ['restore', '--root', image.root, '--upper', image.upper, '--run', image.images],
  ];
  for (const args of runs) {
    const { status, stderr } = spawnSync('node', [join(folder, WRITER), join(folder, 'server'), ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) process.stderr.write(`build: ${args.join(' ')}: ${stderr}`);
  }
  image.remove();
  if (!/^[\0-\x7f]*$/.test(readFileSync(join(folder, 'server', BUNDLE), 'latin1'))) {
    throw new Error(`${BUNDLE} is not ASCII: ${CODE} would belong to another text`);
  }
}

/** Makes the folder anew, which lies in the project's. */
export async function makeDist(folder: string): Promise<void> {
  // Nobody sees half of it.
  const parts = `${folder}.new`;
  rmSync(parts, { recursive: true, force: true });
  await bundle(parts);
  const wasm = join(parts, 'cpu', 'wasm');
  mkdirSync(wasm, { recursive: true });
  writeFileSync(join(wasm, STORE_FILE), commonModules().serialize());
  writeCode(parts);
  rmSync(join(parts, WRITER));
  rmSync(folder, { recursive: true, force: true });
  renameSync(parts, folder);
}
