/** `npm run build`. */
import { join } from 'node:path';
import { PROJECT } from '../bundled.ts';
import { makeDist } from './dist.ts';

await makeDist(join(PROJECT, 'dist'));
