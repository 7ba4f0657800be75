/** The line discipline N_TTY: drivers/tty/n_tty.c. */
import * as T from '../abi/ioctl.ts';
import { SIGINT, SIGQUIT, SIGTSTP } from '../abi/signal.ts';

/** N_TTY_BUF_SIZE */
const BUF_SIZE = 4096;
/** Marks of `cooked` above the byte: the end of a line, and an end of file that is no byte at all. */
const END = 0x100;
const EOF_MARK = 0x200;

/** What a terminal does for its discipline. */
export interface TtyPort {
  readonly termios: Uint8Array;
  /** Bytes to the other side, for echo. */
  emit(bytes: readonly number[]): void;
  /** isig(): a signal for the foreground process group. */
  signal(sig: number): void;
  /** stop_tty(), start_tty(): ^S and ^Q. */
  flow(stopped: boolean): void;
}

export const isControl = (c: number): boolean => c < 32 || c === 127;

/** `struct n_tty_data`: plain data, with the terminal's settings looked up when they are needed. */
export class LineDiscipline {
  readonly port: TtyPort;
  /** What read(2) may take. */
  cooked: number[] = [];
  /** The line that is being edited. */
  line: number[] = [];
  column = 0;
  /** Where the line that is edited began. */
  lineColumn = 0;
  /** The next byte is taken as it is. */
  literal = false;
  stopped = false;

  constructor(port: TtyPort) {
    this.port = port;
  }

  private word(offset: number): number {
    const { termios } = this.port;
    return new DataView(termios.buffer, termios.byteOffset).getUint32(offset, true);
  }
  get iflag(): number {
    return this.word(0);
  }
  get oflag(): number {
    return this.word(4);
  }
  get lflag(): number {
    return this.word(12);
  }
  cc(index: number): number {
    return this.port.termios[17 + index]!;
  }
  private local(flag: number): boolean {
    return (this.lflag & flag) !== 0;
  }
  get canonical(): boolean {
    return this.local(T.ICANON);
  }

  // ---- output

  /** do_output_char(): what goes out for one byte. */
  output(c: number, out: number[]): void {
    const flags = this.oflag;
    if ((flags & T.OPOST) === 0) {
      out.push(c);
      return;
    }
    switch (c) {
      case 10:
        if ((flags & T.ONLRET) !== 0) this.column = 0;
        if ((flags & T.ONLCR) !== 0) {
          out.push(13);
          this.column = 0;
        }
        this.lineColumn = this.column;
        break;
      case 13:
        if ((flags & T.ONOCR) !== 0 && this.column === 0) return;
        if ((flags & T.OCRNL) !== 0) {
          out.push(10);
          if ((flags & T.ONLRET) !== 0) this.column = 0;
          return;
        }
        this.column = 0;
        this.lineColumn = 0;
        break;
      case 9: {
        const spaces = 8 - (this.column & 7);
        this.column += spaces;
        if ((flags & T.XTABS) === T.XTABS) {
          for (let i = 0; i < spaces; i++) out.push(32);
          return;
        }
        break;
      }
      case 8:
        if (this.column > 0) this.column--;
        break;
      default:
        if (!isControl(c) && (c & 0xc0) !== 0x80) this.column++;
        if ((flags & T.OLCUC) !== 0 && c >= 97 && c <= 122) c -= 32;
    }
    out.push(c);
  }

  // ---- echo

  private emitRaw(bytes: readonly number[]): void {
    this.port.emit(bytes);
  }
  private emitCooked(c: number): void {
    const out: number[] = [];
    this.output(c, out);
    this.emitRaw(out);
  }
  /** echo_char(): control characters as ^X. */
  private echo(c: number): void {
    if (this.local(T.ECHOCTL) && isControl(c) && c !== 9) {
      this.emitRaw([94, c ^ 0x40]);
      this.column += 2;
    } else this.emitCooked(c);
  }

  // ---- input

  /** n_tty_receive_char() */
  receive(byte: number): void {
    const { iflag } = this;
    let c = (iflag & T.ISTRIP) !== 0 ? byte & 0x7f : byte;
    if (this.literal) {
      this.literal = false;
      this.put(c);
      return;
    }
    if (this.stopped && (iflag & T.IXON) !== 0 && (iflag & T.IXANY) !== 0 && c !== this.cc(T.VSTART)) this.flow(false);
    if ((iflag & T.IXON) !== 0) {
      if (c === this.cc(T.VSTART) || c === this.cc(T.VSTOP)) {
        this.flow(c === this.cc(T.VSTOP));
        return;
      }
    }
    if (this.local(T.ISIG)) {
      const sig = this.signalOf(c);
      if (sig !== 0) {
        this.interrupt(c, sig);
        return;
      }
    }
    if (c === 13) {
      if ((iflag & T.IGNCR) !== 0) return;
      if ((iflag & T.ICRNL) !== 0) c = 10;
    } else if (c === 10 && (iflag & T.INLCR) !== 0) c = 13;
    if (this.canonical && this.edit(c)) return;
    this.put(c);
  }

  private flow(stopped: boolean): void {
    this.stopped = stopped;
    this.port.flow(stopped);
  }
  private signalOf(c: number): number {
    if (c === 0) return 0;
    if (c === this.cc(T.VINTR)) return SIGINT;
    if (c === this.cc(T.VQUIT)) return SIGQUIT;
    return c === this.cc(T.VSUSP) ? SIGTSTP : 0;
  }
  private interrupt(c: number, sig: number): void {
    if (!this.local(T.NOFLSH)) this.flush();
    if (this.stopped) this.flow(false);
    if (this.local(T.ECHO)) this.echo(c);
    this.port.signal(sig);
  }

  /** What canonical mode makes of special characters. @returns whether the byte is dealt with */
  private edit(c: number): boolean {
    const is = (index: number): boolean => c === this.cc(index) && c !== 0;
    const extended = this.local(T.IEXTEN);
    if (is(T.VERASE) || is(T.VKILL) || (extended && is(T.VWERASE))) {
      this.erase(c);
      return true;
    }
    if (extended && is(T.VLNEXT)) {
      this.literal = true;
      if (this.local(T.ECHO) && this.local(T.ECHOCTL)) this.emitRaw([94, 8]);
      return true;
    }
    if (extended && is(T.VREPRINT) && this.local(T.ECHO)) {
      this.echo(c);
      this.emitCooked(10);
      for (const old of this.line) this.echo(old);
      return true;
    }
    if (c === 10) {
      if (this.local(T.ECHO) || this.local(T.ECHONL)) this.emitCooked(10);
      this.finish(10 | END);
      return true;
    }
    if (is(T.VEOF)) {
      this.finish(EOF_MARK | END);
      return true;
    }
    if (is(T.VEOL) || (extended && is(T.VEOL2))) {
      if (this.local(T.ECHO)) this.echo(c);
      this.finish(c | END);
      return true;
    }
    return false;
  }

  private finish(last: number): void {
    this.cooked.push(...this.line, last);
    this.line = [];
  }

  private put(c: number): void {
    if (this.cooked.length + this.line.length >= BUF_SIZE - 1) {
      if ((this.iflag & T.IMAXBEL) !== 0) this.emitRaw([7]);
      return;
    }
    if (this.local(T.ECHO)) {
      if (this.line.length === 0) this.lineColumn = this.column;
      this.echo(c);
    }
    if (this.canonical) this.line.push(c);
    else this.cooked.push(c);
  }

  /** eraser() */
  private erase(c: number): void {
    const echo = this.local(T.ECHO);
    const kill = c === this.cc(T.VKILL);
    const word = !kill && c === this.cc(T.VWERASE) && c !== this.cc(T.VERASE);
    if (this.line.length === 0) return;
    if (kill && !(echo && this.local(T.ECHOK) && this.local(T.ECHOKE) && this.local(T.ECHOE))) {
      this.line = [];
      if (!echo) return;
      this.echo(c);
      if (this.local(T.ECHOK)) this.emitCooked(10);
      return;
    }
    let seen = false;
    while (this.line.length > 0) {
      let last = this.line[this.line.length - 1]!;
      if (word) {
        const alphanumeric =
          (last >= 48 && last <= 57) || (last >= 65 && last <= 90) || (last >= 97 && last <= 122) || last === 95;
        if (alphanumeric) seen = true;
        else if (seen) break;
      }
      this.line.pop();
      // The rest of a character of several bytes, with IUTF8.
      while ((this.iflag & 0o40000) !== 0 && (last & 0xc0) === 0x80 && this.line.length > 0) last = this.line.pop()!;
      if (echo) this.echoErased(c, last);
      if (!kill && !word) break;
    }
  }

  private echoErased(c: number, erased: number): void {
    if (c === this.cc(T.VERASE) && !this.local(T.ECHOE)) {
      this.echo(this.cc(T.VERASE));
      return;
    }
    if (erased === 9) {
      let column = this.lineColumn;
      for (const old of this.line) {
        if (old === 9) column += 8 - (column & 7);
        else column += this.local(T.ECHOCTL) && isControl(old) ? 2 : 1;
      }
      while (this.column > column) this.rubOut(false);
      return;
    }
    if (isControl(erased) && this.local(T.ECHOCTL)) this.rubOut(true);
    if (!isControl(erased) || this.local(T.ECHOCTL)) this.rubOut(true);
  }
  private rubOut(blank: boolean): void {
    this.emitRaw(blank ? [8, 32, 8] : [8]);
    if (this.column > 0) this.column--;
  }

  // ---- reading

  /** Whether a line is ready, or in raw mode `least` bytes: input_available_p(). */
  available(least = 1): boolean {
    return this.canonical ? this.cooked.some((c) => (c & END) !== 0) : this.cooked.length >= least;
  }
  /** FIONREAD */
  get length(): number {
    return this.cooked.filter((c) => (c & EOF_MARK) === 0).length;
  }

  /** canon_copy_from_read_buf(), copy_from_read_buf(). */
  take(count: number): Uint8Array {
    const out: number[] = [];
    while (out.length < count && this.cooked.length > 0) {
      const c = this.cooked[0]!;
      if (this.canonical && (c & EOF_MARK) !== 0) {
        this.cooked.shift();
        break;
      }
      this.cooked.shift();
      if ((c & EOF_MARK) !== 0) continue;
      out.push(c & 0xff);
      if (this.canonical && (c & END) !== 0) break;
    }
    // An end of file right behind what was asked for belongs to it.
    if (this.canonical && out.length === count && this.cooked[0] !== undefined && (this.cooked[0] & EOF_MARK) !== 0)
      this.cooked.shift();
    return Uint8Array.from(out);
  }

  /** n_tty_set_termios(): after ICANON changed. */
  modeChanged(wasCanonical: boolean): void {
    if (wasCanonical === this.canonical) return;
    if (!this.canonical) {
      this.cooked = [...this.cooked.filter((c) => (c & EOF_MARK) === 0).map((c) => c & 0xff), ...this.line];
      this.line = [];
    } else if (this.cooked.length > 0) this.cooked[this.cooked.length - 1]! |= END;
  }

  /** TCIFLUSH */
  flush(): void {
    this.cooked = [];
    this.line = [];
    this.literal = false;
  }
}
