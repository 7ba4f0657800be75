# The restorer blob's symbols, and the restored program once it is there.
#
# gdb looks at the auxiliary vector, at the place of the program (PIE) and at its shared libraries when it connects. A task
# under restore has none of them yet. This script watches for the moment at which the blob has set them, and then lets
# gdb look again.
import re
import struct

import gdb

AT_ENTRY = 9


def auxv_types():
    """Types in the auxiliary vector as the server has it now; gdb's own copy may be old."""
    connection = gdb.selected_inferior().connection
    if connection is None or not hasattr(connection, "send_packet"):
        return None
    reply = connection.send_packet("qXfer:auxv:read::0,1000")
    if not reply or reply[:1] not in (b"l", b"m"):
        return None
    data = bytearray()
    escaped = False
    for byte in reply[1:]:
        if escaped:
            data.append(byte ^ 0x20)
            escaped = False
        elif byte == 0x7D:
            escaped = True
        else:
            data.append(byte)
    word = gdb.lookup_type("unsigned long").sizeof
    form = "<%d%s" % (len(data) // word, "Q" if word == 8 else "I")
    return struct.unpack(form, bytes(data[: len(data) // word * word]))[0::2]


class RestorerSymbols(gdb.Command):
    """Read the symbols of CRIU's restorer blob, at the place where the server put it."""

    def __init__(self):
        super().__init__("restorer-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        try:
            text = gdb.execute("monitor symbols", to_string=True)
        except gdb.error as error:
            print("restorer-symbols: %s" % error)
            return
        for line in text.splitlines():
            if re.match(r"add-symbol-file \S+restorer.elf -o 0x[0-9a-f]+$", line):
                gdb.execute(line, to_string=True)


class RestoredProgram(gdb.Command):
    """Let gdb look again at the restored program: auxiliary vector, place, shared libraries (done by itself)."""

    def __init__(self):
        super().__init__("restored-program", gdb.COMMAND_FILES)
        self.seen = {}

    def invoke(self, argument, from_tty):
        name = gdb.current_progspace().filename
        if name is None:
            print("restored-program: gdb has no program file")
            return
        # exec-file drops gdb's copy of the vector; symbol-file computes the place anew and looks for libraries.
        gdb.execute("exec-file " + name, to_string=True)
        gdb.execute("symbol-file " + name, to_string=True)
        gdb.execute("sharedlibrary", to_string=True)

    def update(self):
        inferior = gdb.selected_inferior()
        if inferior.pid == 0 or gdb.selected_thread() is None or gdb.selected_thread().is_running():
            return
        key = (inferior.num, inferior.pid)
        if self.seen.get(key):
            return
        try:
            types = auxv_types()
        except gdb.error:
            return
        there = types is None or AT_ENTRY in types
        if there and key in self.seen and types is not None:
            try:
                self.invoke("", False)
                print("[the restored program is in place: gdb has looked at it again]")
            except gdb.error as error:
                print("restored-program: %s" % error)
        self.seen[key] = there


RestorerSymbols()
RESTORED = RestoredProgram()
gdb.events.stop.connect(lambda _event: RESTORED.update())
gdb.events.before_prompt.connect(RESTORED.update)
