/** include/uapi/asm-generic/ioctls.h, include/uapi/linux/fs.h. */
export const TCGETS = 0x5401,
  TCSETS = 0x5402,
  TCSETSW = 0x5403,
  TCSETSF = 0x5404,
  TCSBRK = 0x5409,
  TCXONC = 0x540a,
  TCFLSH = 0x540b,
  TIOCSCTTY = 0x540e,
  TIOCGPGRP = 0x540f,
  TIOCSPGRP = 0x5410,
  TIOCGWINSZ = 0x5413,
  TIOCSWINSZ = 0x5414,
  FIONREAD = 0x541b,
  FIONBIO = 0x5421,
  TIOCNOTTY = 0x5422,
  TIOCGSID = 0x5429,
  FIONCLEX = 0x5450,
  FIOCLEX = 0x5451,
  FIOASYNC = 0x5452,
  FIOQSIZE = 0x5460,
  FIGETBSZ = 2;

/** `struct termios` of the kernel: iflag, oflag, cflag, lflag, line, cc[19]. */
export const TERMIOS_SIZE = 36;
/** tty_std_termios, drivers/tty/tty_io.c: cooked, echoing, 38400 baud. */
export function stdTermios(): Uint8Array {
  const bytes = new Uint8Array(TERMIOS_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0500, true);
  view.setUint32(4, 0x0005, true);
  view.setUint32(8, 0x00bf, true);
  view.setUint32(12, 0x8a3b, true);
  bytes.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0], 17);
  return bytes;
}
export const ICANON = 2,
  ECHO = 8;
