/** The main function of the interpreter: from block to block, from record to record, to the case of a record's handler. */
import { JUMP_CACHE, JUMP_CACHE_ENTRIES, State } from '../state.ts';
import { ByteWriter, type FunctionBody, HANDLER_TYPE } from '../wasm/writer.ts';
import { Import, Locals } from './handler-code.ts';
import type { Surroundings } from './lowering.ts';
import { Action, Outcome, RECORD_SIZE, Rec } from './record.ts';

const VOID = 0x40;
/** Its locals: the record, RIP, and where to note a block that is to be found. */
const PTR = 0;
const RIP = 1;
const LINK = 2;

/**
 * @param count handlers that are cases of it, from number 0
 * @param emit writes the code of a handler
 */
export function mainFunction(
  count: number,
  emit: (n: number, w: ByteWriter, locals: Locals, around: Surroundings) => void,
): FunctionBody {
  const w = new ByteWriter();
  const locals = new Locals(3);
  const scratch = locals.take('i32');
  loadState(w, 'rip');
  w.raw(0x21, RIP);
  w.raw(0x03, VOID); // loop: enter the block in PTR
  w.raw(0x02, VOID); // block: resolve
  w.raw(0x02, VOID); // block: linked
  enterBlock(w, scratch);
  w.raw(0x03, VOID); // loop: next record
  for (let n = 0; n <= count; n++) w.raw(0x02, VOID);
  w.raw(0x20, PTR, 0x2f, 0, Rec.handler);
  w.u8(0x0e);
  w.uleb(count);
  for (let n = 0; n <= count; n++) w.uleb(n);
  w.u8(0x0b);
  for (let n = 0; n < count; n++) {
    emit(n, w, locals, caseSurroundings(count - n));
    w.u8(0x0b);
  }
  // Any other handler is a function in the table.
  w.raw(0x20, PTR, 0x20, PTR, 0x2f, 0, Rec.handler, 0x11, 0, 0);
  caseSurroundings(0).act(w, 0);
  w.u8(0x0b); // next record
  w.u8(0x0b); // linked: follow the link when there is one
  w.raw(0x20, LINK, 0x28, 0, 0, 0x22);
  w.uleb(scratch);
  w.raw(0x04, VOID, 0x20);
  w.uleb(scratch);
  w.raw(0x21, PTR, 0x0c, 2, 0x0b);
  w.u8(0x0b); // resolve: by the jump cache, or in TypeScript
  lookUp(w, scratch);
  w.raw(0x0b, 0x00);
  return { type: HANDLER_TYPE, export: 'run', locals: ['i64', 'i32', ...locals.types], code: w.take() };
}

function loadState(w: ByteWriter, field: 'rip' | 'budget' | 'modeTag'): void {
  w.raw(0x41, 0, field === 'budget' ? 0x28 : 0x29, 0);
  w.uleb(State[field]);
}

function storeState(w: ByteWriter, field: 'rip' | 'budget' | 'blockRip', value: () => void): void {
  w.raw(0x41, 0);
  value();
  w.raw(field === 'budget' ? 0x36 : 0x37, 0);
  w.uleb(State[field]);
}

/** Notes where the block begins and takes its instructions from the budget; returns when they are too many. */
function enterBlock(w: ByteWriter, scratch: number): void {
  storeState(w, 'blockRip', () => w.raw(0x20, RIP));
  storeState(w, 'budget', () => {
    loadState(w, 'budget');
    w.raw(0x20, PTR, 0x2f, 0, Rec.remaining, 0x6b, 0x22);
    w.uleb(scratch);
  });
  w.u8(0x20);
  w.uleb(scratch);
  w.raw(0x41, 0, 0x48, 0x04, VOID);
  storeState(w, 'budget', () => {
    w.u8(0x20);
    w.uleb(scratch);
    w.raw(0x20, PTR, 0x2f, 0, Rec.remaining, 0x6a);
  });
  storeState(w, 'rip', () => w.raw(0x20, RIP));
  w.raw(0x41, Outcome.Budget, 0x0f, 0x0b);
}

/** Finds the block at RIP and enters it. */
function lookUp(w: ByteWriter, scratch: number): void {
  // entry = ((rip ^ rip >> 12) & (entries - 1)) * 16
  w.raw(0x20, RIP, 0xa7, 0x20, RIP, 0x42, 12, 0x88, 0xa7, 0x73);
  w.u8(0x41);
  w.sleb(JUMP_CACHE_ENTRIES - 1);
  w.raw(0x71, 0x41, 4, 0x74, 0x22);
  w.uleb(scratch);
  w.raw(0x29, 0);
  w.uleb(JUMP_CACHE);
  w.raw(0x20, RIP);
  loadState(w, 'modeTag');
  w.raw(0x85, 0x51, 0x04, VOID, 0x20);
  w.uleb(scratch);
  w.raw(0x28, 0);
  w.uleb(JUMP_CACHE + 8);
  w.raw(0x21, PTR, 0x0c, 1, 0x0b);
  storeState(w, 'rip', () => w.raw(0x20, RIP));
  w.raw(0x20, LINK, 0x10, Import.resolve, 0x22, PTR, 0x0d, 0);
  w.raw(0x41, Outcome.Budget, 0x0f);
}

/** A case of the main function with `outer` blocks between it and the loop over the records. */
function caseSurroundings(outer: number): Surroundings {
  const branch = (w: ByteWriter, target: number): void => {
    w.u8(0x0c);
    w.uleb(target);
  };
  return {
    next(w, depth) {
      w.raw(0x20, PTR, 0x41);
      w.sleb(RECORD_SIZE);
      w.raw(0x6a, 0x21, PTR);
      branch(w, outer + depth);
    },
    jump(w, depth, link) {
      w.raw(0x21, RIP);
      if (link === 0) {
        w.raw(0x41, 0, 0x21, LINK);
        branch(w, outer + depth + 2);
        return;
      }
      w.raw(0x20, PTR, 0x41);
      w.sleb(link);
      w.raw(0x6a, 0x21, LINK);
      branch(w, outer + depth + 1);
    },
    leave(w, _depth, outcome) {
      w.raw(0x41, outcome, 0x0f);
    },
    act(w, depth) {
      // Continue = 0, Jump = 1, Exit = 2, Leave = 3
      w.raw(0x22, LINK, 0x45, 0x04, VOID);
      this.next(w, depth + 1);
      w.raw(0x0b, 0x20, LINK, 0x41, Action.Jump, 0x46, 0x04, VOID);
      loadState(w, 'rip');
      this.jump(w, depth + 1, 0);
      w.raw(0x0b, 0x41, Outcome.Exit, 0x41, Outcome.Leave, 0x20, LINK, 0x41, Action.Exit, 0x46, 0x1b, 0x0f);
    },
  };
}
