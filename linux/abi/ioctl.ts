/** include/uapi/asm-generic/ioctls.h, include/uapi/linux/fs.h. */
export const TCGETS = 0x5401,
  TCSETS = 0x5402,
  TCSETSW = 0x5403,
  TCSETSF = 0x5404,
  TCSBRK = 0x5409,
  TCXONC = 0x540a,
  TCFLSH = 0x540b,
  TIOCEXCL = 0x540c,
  TIOCNXCL = 0x540d,
  TIOCSCTTY = 0x540e,
  TIOCGPGRP = 0x540f,
  TIOCSPGRP = 0x5410,
  TIOCOUTQ = 0x5411,
  TIOCSTI = 0x5412,
  TIOCGWINSZ = 0x5413,
  TIOCSWINSZ = 0x5414,
  FIONREAD = 0x541b,
  TIOCPKT = 0x5420,
  FIONBIO = 0x5421,
  TIOCNOTTY = 0x5422,
  TIOCSETD = 0x5423,
  TIOCGETD = 0x5424,
  TCSBRKP = 0x5425,
  TIOCGSID = 0x5429,
  TIOCGPTN = 0x80045430,
  TIOCSPTLCK = 0x40045431,
  TIOCGDEV = 0x80045432,
  TIOCSIG = 0x40045436,
  TIOCGPKT = 0x80045438,
  TIOCGPTLCK = 0x80045439,
  FIONCLEX = 0x5450,
  FIOCLEX = 0x5451,
  FIOASYNC = 0x5452,
  FIOQSIZE = 0x5460,
  FIOSETOWN = 0x8901,
  SIOCSPGRP = 0x8902,
  FIOGETOWN = 0x8903,
  SIOCGPGRP = 0x8904,
  SIOCATMARK = 0x8905,
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
/** c_iflag */
export const ISTRIP = 0o40,
  INLCR = 0o100,
  IGNCR = 0o200,
  ICRNL = 0o400,
  IUCLC = 0o1000,
  IXON = 0o2000,
  IXANY = 0o4000,
  IMAXBEL = 0o20000;
/** c_oflag */
export const OPOST = 1,
  OLCUC = 2,
  ONLCR = 4,
  OCRNL = 8,
  ONOCR = 0o20,
  ONLRET = 0o40,
  XTABS = 0o14000;
/** c_lflag */
export const ISIG = 1,
  ICANON = 2,
  ECHO = 8,
  ECHOE = 0o20,
  ECHOK = 0o40,
  ECHONL = 0o100,
  NOFLSH = 0o200,
  TOSTOP = 0o400,
  ECHOCTL = 0o1000,
  ECHOKE = 0o4000,
  IEXTEN = 0o100000;
/** Indices of c_cc. */
export const VINTR = 0,
  VQUIT = 1,
  VERASE = 2,
  VKILL = 3,
  VEOF = 4,
  VTIME = 5,
  VMIN = 6,
  VSTART = 8,
  VSTOP = 9,
  VSUSP = 10,
  VEOL = 11,
  VREPRINT = 12,
  VWERASE = 14,
  VLNEXT = 15,
  VEOL2 = 16;
