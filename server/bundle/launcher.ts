#!/usr/bin/env node
/** What `npx compat-gdbserver` starts: the bundle, without the time that V8 takes to compile it. */
import { join } from 'node:path';
import { BUNDLE, bundleScript, runBundle } from './bundle-script.ts';

// Source maps are the business of the module loader.
if (process.sourceMapsEnabled) require(join(__dirname, BUNDLE));
else runBundle(bundleScript(__dirname), require, __dirname);
