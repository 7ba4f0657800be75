/** Prints task-restore-args.h: build.sh calls it. */
import { restorerHeader } from './args.ts';

process.stdout.write(restorerHeader());
