/** `show IMAGES-DIR | FILE.img`: images as JSON, as crit does. */
import type { Command } from 'commander';
import { showImage } from '../../criu/show.ts';
import { hostError } from './failure.ts';
import { writeAll } from './host-io.ts';

export function showCommand(command: Command, done: (status: number) => void): void {
  command
    .argument('<path>', 'an image file, or a directory of them')
    .description('print images as JSON, as crit does')
    .action((path: string) => {
      let text: string;
      try {
        text = showImage(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== undefined) throw hostError(error, path);
        throw error;
      }
      writeAll(1, Buffer.from(text.endsWith('\n') ? text : `${text}\n`));
      done(0);
    });
}
